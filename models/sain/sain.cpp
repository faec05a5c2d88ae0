#include "models/sain/sain.h"

namespace mini::models {
namespace {

constexpr std::int64_t mixture_components = 5;

}  // namespace

Sain::Sain(const RescalerConfig& config, Generator& generator)
    : scale_(config.scale), gmm_(mixture_components, generator) {
  check(config.enhanced_blocks > 0, "sain: needs at least one enhanced block");
  std::int64_t channels = image_channels;
  const auto append = [this](auto& list, const char* name, auto block) {
    register_module(concat_text(name, '.', list.size()), *block);
    list.push_back(std::move(block));
  };
  for (std::int64_t side = scale_; side > 1; side /= 2, channels *= 4)
    append(haar_operations_, "haar_operations", std::make_unique<HaarDownsampling>(channels));
  for (std::int64_t i = 0; i < config.enhanced_blocks; ++i)
    append(down_operations_, "down_operations",
           std::make_unique<EnhancedInvBlock>(channels, image_channels, config.growth, generator));
  for (std::int64_t i = 0; i < config.vanilla_blocks; ++i)
    append(comp_operations_, "comp_operations",
           std::make_unique<VanillaInvBlock>(channels, image_channels, config.growth, generator));
  register_module("gmm", gmm_);
}

Flow Sain::flow() const {
  Flow::Level level{.haar = static_cast<int>(haar_operations_.size())};
  std::size_t last_enhanced = 0;
  for (const auto& block : down_operations_) {
    last_enhanced = level.chain.size();
    level.append(*block);
  }
  for (const auto& block : comp_operations_) level.append(*block);
  return {.levels = {level},
          .lr = {last_enhanced + EnhancedInvBlock::lr.layers, EnhancedInvBlock::lr.half}};
}

Tensor Sain::sample_latent(const Shape& shape, Generator& generator,
                           std::optional<ops::DrawPart> part) const {
  return gmm_.sample(shape, generator, part);
}

}  // namespace mini::models
