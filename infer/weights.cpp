#include "infer/weights.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "infer/checkpoints.h"
#include "io/tensor_file.h"
#include "tensor/view.h"

namespace mini::infer {
namespace {

bool is_finite(const Tensor& tensor) {
  const Tensor values = ops::cast(ops::contiguous(tensor), DType::float64);
  const auto* first = values.data<double>();
  return std::all_of(first, first + values.numel(), [](double x) { return std::isfinite(x); });
}

// Keys below which weights usually stand: dictionaries around them and modules around the network. The
// first that fits is taken.
constexpr std::array usual_keys{
    "params_ema", "ema",       "model_ema", "params",  "state_dict", "model",    "model_state_dict",
    "netG",       "generator", "net",       "network", "module",     "_orig_mod"};
constexpr int deepest = 4;  // keys above each other

std::string joined(const std::string& key, const std::string& name) {
  return key.empty() ? name : key + "." + name;
}

using Fits = std::function<bool(const nn::StateDict&)>;

// All that fits below `key`, the best first.
std::vector<FoundWeights> search(const nn::StateDict& state, const std::string& key,
                                 const Fits& fits, int depth = 0) {
  std::vector<FoundWeights> found;
  if (state.empty()) return found;
  if (fits(state)) {
    found.push_back({state, key, {}});
    return found;
  }
  if (depth == deepest) return found;
  for (const char* name : usual_keys)
    for (FoundWeights& one :
         search(below(state, concat_text(name, '.')), joined(key, name), fits, depth + 1))
      found.push_back(std::move(one));
  return found;
}

// The first parts of the names, for an Error.
std::string top_keys(const nn::StateDict& state) {
  constexpr std::size_t shown = 8;
  std::set<std::string> keys;
  for (const auto& [name, tensor] : state) keys.insert(name.substr(0, name.find('.')));
  std::string text;
  for (const std::string& key : keys) {
    if (keys.size() > shown && text.size() > 200) return text + ", ...";
    text += (text.empty() ? "" : ", ") + key;
  }
  return text;
}

}  // namespace

WeightFile read_weight_file(const std::filesystem::path& path, Weights weights) {
  try {
    io::TensorFile file = io::read_tensor_file(path);
    Stated stated = stated_options(file);
    return {is_checkpoint(file) ? network_of(file, weights) : std::move(file.tensors),
            std::move(stated)};
  } catch (const Error& error) {
    fail(error.what(), earlier_checkpoint(path));
  }
}

nn::StateDict read_weights(const std::filesystem::path& path, Weights weights) {
  return read_weight_file(path, weights).state;
}

std::string FoundWeights::note() const {
  if (key.empty()) return {};
  std::string text = "weights below \"" + key + "\"";
  for (const std::string& other : others)
    text += (&other == &others.front() ? " (also there: \"" : ", \"") + other + "\"";
  return text + (others.empty() ? "" : "; choose with --weights-key)");
}

FoundWeights find_weights(const nn::StateDict& all, const std::string& key, const Fits& fits,
                          const std::filesystem::path& path) {
  nn::StateDict start = key.empty() ? all : below(all, key + ".");
  if (start.empty() && !key.empty())
    fail(path.string(), ": there is nothing below --weights-key ", key,
         "; there are: ", top_keys(all));
  std::vector<FoundWeights> found = search(start, key, fits);
  if (found.empty()) return {std::move(start), key, {}};
  FoundWeights best = std::move(found.front());
  for (std::size_t i = 1; i < found.size(); ++i) best.others.push_back(found[i].key);
  return best;
}

void load_weights(nn::Module& module, const nn::StateDict& weights,
                  const std::filesystem::path& path) {
  try {
    module.load_state_dict(module.translate(weights));
    // As loaded: a finite float64 may be too large for float32.
    for (const auto& [name, tensor] : module.state_dict())
      check(is_finite(tensor), name,
            " holds NaN or infinity; training that diverged leaves such "
            "weights, take those of an earlier checkpoint");
  } catch (const Error& error) {
    fail(path.string(), ": ", error.what());
  }
}

std::string load_weights(nn::Module& module, const std::filesystem::path& path,
                         const std::string& key) {
  const nn::StateDict own = module.state_dict();
  const auto same_names = [&](const nn::StateDict& given) {
    const nn::StateDict state = module.translate(given);
    return std::equal(own.begin(), own.end(), state.begin(), state.end(),
                      [](const auto& a, const auto& b) { return a.first == b.first; });
  };
  const FoundWeights found = find_weights(read_weights(path), key, same_names, path);
  load_weights(module, found.state, path);
  const std::string note = found.note();
  return note.empty() ? note : path.string() + ": " + note;
}

}  // namespace mini::infer
