#include "models/rescaler.h"

#include <algorithm>
#include <string_view>

#include "autograd/functions.h"
#include "models/irn/irn.h"
#include "models/sain/sain.h"

namespace mini::models {

Tensor Rescaler::downscale(const Tensor& x) const { return quantise(forward(x).lr); }

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
  // How many blocks there are: one more than the largest i in names "<list>.<i>.<member>...".
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
    const std::int64_t levels = count("haar_operations", "haar_weights");
    return {"sain", std::int64_t{1} << levels, count("down_operations", "F.conv1.weight"),
            count("comp_operations", "F.conv1.weight"), growth("down_operations.0.F.conv1.weight")};
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
    return {"irn", std::int64_t{1} << levels, 0, (operations - levels) / levels,
            growth("operations.1.F.conv1.weight")};
  }
  fail("model: the weights are of none of the networks here (sain, irn); their first name is ",
       state.empty() ? "missing: there are no tensors" : state.begin()->first);
}

}  // namespace mini::models
