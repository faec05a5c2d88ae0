#include "models/irn/irn.h"

namespace mini::models {

Irn::Irn(const RescalerConfig& config, Generator& generator) : scale_(config.scale) {
  std::int64_t channels = image_channels;
  int operation = 0;
  const auto next_name = [&operation] { return concat_text("operations.", operation++); };
  for (std::int64_t side = scale_; side > 1; side /= 2) {
    Level level{std::make_unique<HaarDownsampling>(channels), {}};
    register_module(next_name(), *level.haar);
    channels *= 4;
    for (std::int64_t i = 0; i < config.vanilla_blocks; ++i) {
      level.blocks.push_back(
          std::make_unique<VanillaInvBlock>(channels, image_channels, config.growth, generator));
      register_module(next_name(), *level.blocks.back());
    }
    levels_.push_back(std::move(level));
  }
}

Flow Irn::flow() const {
  Flow flow;
  for (const Level& level : levels_) {
    flow.levels.push_back({.haar = 1});
    for (const auto& block : level.blocks) flow.levels.back().append(*block);
  }
  flow.lr = {flow.levels.back().chain.size(), 0};
  return flow;
}

Tensor Irn::sample_latent(const Shape& shape, Generator& generator,
                          std::optional<ops::DrawPart> part) const {
  const Tensor any = parameters().front();
  return ops::normal(generator, shape, any.dtype(), part, any.device());
}

}  // namespace mini::models
