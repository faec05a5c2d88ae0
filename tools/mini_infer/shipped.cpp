#include "tools/mini_infer/shipped.h"

#include <algorithm>
#include <fmt/core.h>

#include "infer/weights.h"
#include "io/tensor_file.h"
#include "models/registry.h"
#include "tools/mini_infer/commands.h"

namespace mini::infer {
namespace fs = std::filesystem;
namespace {

std::string text_of(const io::TensorFile& file, const char* key) {
  const auto found = file.metadata.find(key);
  return found == file.metadata.end() ? std::string() : found->second;
}

ShippedWeights describe_weights(const fs::path& path) {
  const io::TensorFile file = io::read_tensor_file(path);
  const models::NetworkConfig config = models::recognise_network(file.tensors);
  std::int64_t parameters = 0;
  for (const auto& [name, tensor] : file.tensors) parameters += tensor.numel();
  return {path,       config.name(),          config.scale(),
          parameters, text_of(file, "codec"), text_of(file, "step")};
}

}  // namespace

fs::path shipped_folder() {
  return fs::read_symlink("/proc/self/exe").parent_path().parent_path() / "share/mini/weights";
}

std::vector<ShippedWeights> shipped_weights(const fs::path& folder) {
  std::vector<fs::path> paths;
  if (fs::is_directory(folder))
    for (const fs::directory_entry& entry : fs::directory_iterator(folder))
      if (entry.path().extension() == ".safetensors") paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  std::vector<ShippedWeights> all;
  for (const fs::path& path : paths) try {
      all.push_back(describe_weights(path));
    } catch (const Error& error) {
      fmt::print(stderr, "mini_infer: {}: {}\n", printable(path.string()), printable(error.what()));
    }
  return all;
}

fs::path choose_shipped(const ModelOptions& options) {
  const std::int64_t scale = options.scale == 0 ? 2 : options.scale;
  const std::vector<ShippedWeights> all = shipped_weights(shipped_folder());
  const ShippedWeights* best = nullptr;
  const auto is_for_codec = [&](const ShippedWeights& one) {
    return options.codec && one.codec == io::name_of(*options.codec);
  };
  for (const ShippedWeights& one : all) {
    if (one.scale != scale || (!options.model.empty() && one.network != options.model)) continue;
    if (best == nullptr || (is_for_codec(one) && !is_for_codec(*best))) best = &one;
  }
  check(best != nullptr,
        "give the network's weights (--weights FILE) or --model bicubic; no weights ",
        options.model.empty() ? "" : "of " + options.model + " ", "for x", scale,
        " come with this program (mini_infer weights lists what does)");
  return best->path;
}

int list_weights() {
  const fs::path folder = shipped_folder();
  const std::vector<ShippedWeights> all = shipped_weights(folder);
  if (all.empty()) {
    fmt::print("No weights come with this program: there are none in {}\n",
               printable(folder.string()));
    return 0;
  }
  fmt::print("{:<28} {:<8} {:>5} {:<6} {:>10} {:>9}\n", "file", "network", "scale", "codec",
             "parameters", "steps");
  for (const ShippedWeights& one : all)
    fmt::print("{:<28} {:<8} {:>5} {:<6} {:>10} {:>9}\n", printable(one.path.filename().string()),
               one.network, concat_text("x", one.scale), printable(one.codec), one.parameters,
               printable(one.step));
  fmt::print("in {}\n", printable(folder.string()));
  return 0;
}

}  // namespace mini::infer
