// mini_bench drift: what plain inversion of a network loses, and what exact mode keeps against that.
//
// The chain is run on a photograph, every state inside it is kept, and the chain is walked back
// twice: by inverting layer after layer, as in reversible mode, and with the corrections of exact
// mode (models/invertible/chain.h). Each restored state is compared with the true one.
#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include <tuple>

#include "autograd/engine.h"
#include "autograd/functions.h"
#include "infer/checkpoints.h"
#include "infer/weights.h"
#include "io/image.h"
#include "ops/correction.h"
#include "ops/elementwise.h"
#include "ops/image.h"
#include "tensor/random.h"
#include "tensor/view.h"
#include "tools/mini_bench/commands.h"
#include "tools/mini_bench/measure.h"
#include "tools/mini_bench/networks.h"

namespace mini::bench {
namespace {

using Halves = std::array<Tensor, 2>;

std::unique_ptr<models::FlowRescaler> make_network(const DriftOptions& options) {
  Generator generator{10, 0};
  if (!options.from.empty()) {
    const auto path = infer::find_checkpoint(options.from);
    const nn::StateDict state = infer::read_weights(path);
    auto network = make_invertible(models::recognise_network(state), generator);
    infer::load_weights(*network, state, path);
    return network;
  }
  auto network = make_invertible(
      network_config(options.network,
                     {.enhanced_blocks = options.enhanced, .vanilla_blocks = options.vanilla}),
      generator);
  if (options.gain > 0)
    for (const Tensor& weight : network->parameters()) {
      if (weight.rank() != 4) continue;
      const std::int64_t fan_in = weight.numel() / weight.size(0);
      const double bound = options.gain / std::sqrt(static_cast<double>(fan_in));
      const Tensor values = ops::uniform(generator, weight.shape());
      ops::copy(ops::unary(Unary::affine, values, 2 * bound, -bound), weight);
    }
  return network;
}

// Cuts out the middle of the photograph.
Tensor read_middle(const DriftOptions& options) {
  const Tensor image = io::read_image(options.image);
  check(image.size(0) >= options.size && image.size(1) >= options.size, options.image, ": is ",
        image.size(1), 'x', image.size(0), ", the part to use ", options.size, 'x', options.size);
  const auto middle = [&](const Tensor& x, int side) {
    return ops::narrow(x, side, (x.size(side) - options.size) / 2, options.size);
  };
  return io::to_float(ops::contiguous(middle(middle(image, 0), 1)), DType::float64);
}

Halves split(const Tensor& x) {
  return {narrow(x, 1, 0, models::image_channels),
          narrow(x, 1, models::image_channels, x.size(1) - models::image_channels)};
}

Halves run_layer(const models::Coupling& layer, const Halves& x) {
  const models::ChainResult y = models::run_chain({&layer, 1}, x[0], x[1]);
  return {y.x1, y.x2};
}

// The elements of several tensors, as doubles.
std::vector<double> values(std::span<const Tensor> tensors) {
  std::vector<double> result;
  for (const Tensor& tensor : tensors) {
    const Tensor wide = ops::contiguous(ops::cast(tensor, DType::float64));
    result.insert(result.end(), wide.data<double>(), wide.data<double>() + wide.numel());
  }
  return result;
}

struct Error {
  double relative;  // Euclidean norm of the error over that of the truth
  double largest;   // largest error over the root mean square of the truth
};

Error error_of(std::span<const Tensor> found, std::span<const Tensor> truth) {
  const std::vector<double> a = values(found), b = values(truth);
  double squares = 0, error_squares = 0, largest = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    const double error = std::abs(a[i] - b[i]);
    squares += b[i] * b[i];
    error_squares += error * error;
    largest = std::max(largest, error);
  }
  return {std::sqrt(error_squares / squares),
          largest * std::sqrt(static_cast<double>(b.size()) / squares)};
}

// Counts what corrections cost in memory.
class Cost {
 public:
  void add(const ops::Correction& correction) {
    const auto* codes = correction.codes.data<std::uint8_t>();
    for (std::int64_t i = 0; i < correction.codes.numel(); ++i) ++counts_[codes[i]];
    elements_ += static_cast<double>(correction.codes.numel());
    bytes_ += static_cast<double>(correction.bytes());
  }
  // The entropy is that of single codes, which is what an ideal coder needs that looks at no neighbours.
  nlohmann::json report() const {
    double bits = 0;
    for (const double count : counts_)
      if (count > 0) bits -= count / elements_ * std::log2(count / elements_);
    return {{"elements", elements_},
            {"bytes_per_element", bytes_ / elements_},
            {"entropy_bits", bits},
            {"share_aside", counts_[0] / elements_},
            {"share_unchanged", counts_[128] / elements_}};
  }

 private:
  std::array<double, 256> counts_{};  // of each code
  double elements_ = 0, bytes_ = 0;
};

bool affine(const models::Coupling& layer) { return layer.subnets.size() == 2; }

// How many elements are not the same bit for bit.
std::int64_t elements_that_differ(const Tensor& a, const Tensor& b) {
  const Tensor codes = ops::correction(a, b).codes;
  const auto* code = codes.data<std::uint8_t>();
  return std::count_if(code, code + codes.numel(), [](std::uint8_t c) { return c != 128; });
}

// Runs the chain, keeps the state in front of every layer, and walks back.
nlohmann::json walk_back(const std::vector<models::Coupling>& chain, const Halves& input) {
  const NoGrad guard;
  std::vector<Halves> states{input};
  std::vector<ops::Correction> corrections;
  Cost additive_cost, affine_cost, all;
  for (const models::Coupling& layer : chain) {
    const auto changed = static_cast<std::size_t>(layer.changed);
    const Tensor x = states.back()[changed];
    states.push_back(run_layer(layer, states.back()));
    const ops::Correction correction =
        ops::correction(x, run_layer(layer.inverse(), states.back())[changed]);
    (affine(layer) ? affine_cost : additive_cost).add(correction);
    all.add(correction);
    corrections.push_back(correction);
  }
  nlohmann::json drift;
  Halves plain = states.back(), exact = states.back();
  std::int64_t different = 0, blocks = 0;
  const bool affine_last = affine(chain.back());  // in each block, otherwise first
  for (std::size_t k = chain.size(); k-- > 0;) {
    const auto changed = static_cast<std::size_t>(chain[k].changed);
    plain = run_layer(chain[k].inverse(), plain);
    exact = run_layer(chain[k].inverse(), exact);
    exact[changed] = ops::corrected(exact[changed], corrections[k]);
    different += elements_that_differ(exact[changed], states[k][changed]);
    if (k == 0 || affine(chain[affine_last ? k - 1 : k])) {
      const Error error = error_of(plain, states[k]);
      drift.push_back(
          {{"blocks", ++blocks}, {"relative", error.relative}, {"largest", error.largest}});
    }
  }
  return {{"drift", drift},
          {"additive", additive_cost.report()},
          {"affine", affine_cost.report()},
          {"all", all.report()},
          {"exact_elements_that_differ", different}};
}

// The relative distance of all parameters' gradients together from those of stored mode, for a random
// gradient of the result.
double gradient_error(const std::vector<models::Coupling>& chain, const Halves& input,
                      const Tensors& parameters, models::MemoryMode memory) {
  Generator generator{11, 0};
  const Tensors probe{ops::normal(generator, input[0].shape(), input[0].dtype()),
                      ops::normal(generator, input[1].shape(), input[1].dtype())};
  const auto gradients = [&](models::MemoryMode mode) {
    const models::ChainResult y = models::run_chain(chain, input[0], input[1], {.memory = mode});
    return grad({y.x1, y.x2}, parameters, probe);
  };
  return error_of(gradients(memory), gradients(models::MemoryMode::stored)).relative;
}

void print(const nlohmann::json& report) {
  for (const nlohmann::json& part : report["parts"]) {
    const auto number = [](const nlohmann::json& from, const char* key) {
      return from.at(key).get<double>();
    };
    const nlohmann::json &cost = part["all"], &last = part["drift"].back();
    fmt::print("{} {}: {} blocks back, error {:.1e} (largest {:.1e}); gradients {:.1e}\n",
               part["dtype"].get<std::string>(), part["pass"].get<std::string>(),
               last["blocks"].get<int>(), number(last, "relative"), number(last, "largest"),
               number(part, "reversible_gradient_error"));
    fmt::print(
        "    exact: {} elements and gradients {:.0e} off; {:.3f} bytes an element, "
        "{:.2f} bits of entropy, {:.3f} % kept aside\n",
        part["exact_elements_that_differ"].get<std::int64_t>(),
        number(part, "exact_gradient_error"), number(cost, "bytes_per_element"),
        number(cost, "entropy_bits"), 100 * number(cost, "share_aside"));
  }
}

}  // namespace

void run_drift(const CommonOptions& common, const DriftOptions& options) {
  const auto network = make_network(options);
  const Tensor image = read_middle(options);
  nlohmann::json report{{"command", "drift"}, {"network", network->name()}, {"parts", {}}};
  for (const DType dtype : {DType::float32, DType::float64}) {
    network->to(dtype);
    const models::Flow flow = network->flow();
    check(flow.levels.size() == 1, "drift: takes a network with one chain; ", network->name(), " x",
          network->scale(), " has ", flow.levels.size());
    Tensor x = ops::cast(image, dtype);
    for (int i = 0; i < flow.levels[0].haar; ++i) x = ops::haar(x);
    const std::vector<models::Coupling>& down = flow.levels[0].chain;
    // Down, and up from what is left of it for upscaling.
    Generator generator{12, 0};
    const Halves up_input{network->downscale(ops::cast(image, dtype)).detach(),
                          network->sample_latent(split(x)[1].shape(), generator).detach()};
    const std::tuple<const char*, std::vector<models::Coupling>, Halves> passes[] = {
        {"down", down, split(x)}, {"up", models::inverse(down), up_input}};
    for (const auto& [name, chain, input] : passes) {
      nlohmann::json part = walk_back(chain, input);
      part["dtype"] = concat_text(dtype);
      part["pass"] = name;
      Tensors parameters;
      for (const models::Coupling& layer : chain)
        for (const models::Subnet& subnet : layer.subnets)
          parameters.insert(parameters.end(), subnet.parameters.begin(), subnet.parameters.end());
      part["reversible_gradient_error"] =
          gradient_error(chain, input, parameters, models::MemoryMode::reversible);
      part["exact_gradient_error"] =
          gradient_error(chain, input, parameters, models::MemoryMode::exact);
      report["parts"].push_back(part);
    }
  }
  if (common.json != "-") print(report);
  write_json(report, common.json);
}

}  // namespace mini::bench
