#include "models/rescaler.h"

#include <algorithm>
#include <string_view>

#include "autograd/functions.h"
#include "models/irn/irn.h"
#include "models/sain/sain.h"

namespace mini::models {
namespace {

// What was read off a file, before anything is built from it: a small file must not make its reader
// build a huge network. `subnets` dense blocks have convolutions 2 to 4 that read the features of
// those before: 9·growth²·(1 + 2 + 3) weights each, at least.
RescalerConfig plausible(RescalerConfig config, std::int64_t levels, std::int64_t subnets,
                         const nn::StateDict& state) {
  check(levels == 1 || levels == 2, "model: the weights have ", levels,
        " Haar levels; 1 (x2) and 2 (x4) are known");
  config.scale = std::int64_t{1} << levels;
  double elements = 0;
  for (const auto& [name, tensor] : state) elements += static_cast<double>(tensor.numel());
  const auto growth = static_cast<double>(config.growth);
  check(config.growth >= 1 && 54 * growth * growth * static_cast<double>(subnets) <= elements,
        "model: the weights describe ", subnets, " dense blocks of growth ", config.growth,
        ", which do not fit in the ", elements, " numbers there are");
  return config;
}

}  // namespace

FlowResult Rescaler::forward(const Tensor& x, bool with_log_det) const {
  return flow().forward(x, {.memory = memory_, .log_det = with_log_det});
}

FlowResult Rescaler::inverse(const Tensor& y, bool with_log_det) const {
  return flow().inverse(y, {.memory = memory_, .log_det = with_log_det});
}

Tensor Rescaler::downscale(const Tensor& x) const {
  return quantise(flow().to_lr().forward(x, {.memory = memory_}).lr);
}

Tensor Rescaler::upscale(const Tensor& lr, Generator* generator, double latent_scale) const {
  check(lr.rank() == 4 && lr.size(1) == 3, "upscale: needs an image [N,3,H,W], got ", lr.shape());
  const Shape shape{lr.size(0), 3 * (scale() * scale() - 1), lr.size(2), lr.size(3)};
  const Tensor z = generator == nullptr ? Tensor::zeros(shape, lr.dtype(), lr.device())
                                        : sample_latent(shape, *generator) * latent_scale;
  return inverse(concat({lr, z}, 1)).out;
}

std::unique_ptr<Rescaler> make_rescaler(const RescalerConfig& config, Generator& generator) {
  check(config.scale == 2 || config.scale == 4, "model: scale must be 2 or 4, got ", config.scale);
  RescalerConfig full = config;
  if (config.network == "sain") {
    if (full.enhanced_blocks == 0) full.enhanced_blocks = config.scale == 2 ? 5 : 10;
    if (full.vanilla_blocks == 0) full.vanilla_blocks = config.scale == 2 ? 3 : 6;
    return std::make_unique<Sain>(full, generator);
  }
  check(config.network == "irn", "model: network must be sain or irn, got '", config.network, "'");
  if (full.vanilla_blocks == 0) full.vanilla_blocks = 8;
  return std::make_unique<Irn>(full, generator);
}

RescalerConfig recognise_rescaler(const nn::StateDict& state) {
  // How many blocks there are: names "<list>.<i>.<member>", i = 0, 1, ...
  const auto count = [&](std::string_view list, std::string_view member) {
    std::int64_t blocks = 0;
    while (state.contains(concat_text(list, '.', blocks, '.', member))) ++blocks;
    return blocks;
  };
  const auto growth = [&](const std::string& weight) {
    const auto found = state.find(weight);
    check(found != state.end() && found->second.rank() == 4, "model: the weights lack ", weight);
    return found->second.size(0);
  };
  if (state.contains("gmm.gmm_para")) {
    const std::int64_t enhanced = count("down_operations", "F.conv1.weight");
    const std::int64_t vanilla = count("comp_operations", "F.conv1.weight");
    return plausible({"sain", 0, enhanced, vanilla, growth("down_operations.0.F.conv1.weight")},
                     count("haar_operations", "haar_weights"), 4 * enhanced + 3 * vanilla, state);
  }
  if (state.contains("operations.0.haar_weights")) {
    std::int64_t levels = 0, operations = 0;
    while (true) {
      const std::string name = concat_text("operations.", operations);
      if (state.contains(name + ".haar_weights"))
        ++levels;
      else if (!state.contains(name + ".F.conv1.weight"))
        break;
      ++operations;
    }
    return plausible(
        {"irn", 0, 0, (operations - levels) / levels, growth("operations.1.F.conv1.weight")},
        levels, 3 * (operations - levels), state);
  }
  fail("model: the weights are of none of the networks here (sain, irn); their first name is ",
       state.empty() ? "missing: there are no tensors" : state.begin()->first);
}

}  // namespace mini::models
