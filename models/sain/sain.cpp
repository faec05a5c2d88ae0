#include "models/sain/sain.h"

#include "models/invertible/log_det.h"

namespace mini::models {
namespace {

constexpr std::int64_t image_channels = 3;
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

Pass Sain::forward(const Tensor& x, bool with_log_det) const {
  LogDet log_det(+1, x.size(0));
  Tensor image = x;
  for (const auto& level : haar_operations_) {
    log_det.add_haar(image.shape());
    image = level->forward(image);
  }
  Halves halves = split_channels(image, image_channels);
  Tensor lr;
  const auto run = [&](const InvertibleBlock& block, bool take_lr) {
    InvertibleBlock::Tap tap;
    halves = block.forward(halves, take_lr || with_log_det ? &tap : nullptr);
    if (take_lr) lr = tap.lr;
    if (with_log_det) log_det.add_coupling(tap.log_scale);
  };
  for (const auto& block : down_operations_) run(*block, block == down_operations_.back());
  for (const auto& block : comp_operations_) run(*block, false);
  return {join_channels(halves), lr, with_log_det ? log_det.total(x.dtype()) : Tensor()};
}

Pass Sain::inverse(const Tensor& y, bool with_log_det) const {
  LogDet log_det(-1, y.size(0));
  Halves halves = split_channels(y, image_channels);
  Tensor lr;
  const auto run = [&](const InvertibleBlock& block, bool take_lr) {
    InvertibleBlock::Tap tap;
    halves = block.inverse(halves, take_lr || with_log_det ? &tap : nullptr);
    if (take_lr) lr = tap.lr;
    if (with_log_det) log_det.add_coupling(tap.log_scale);
  };
  for (auto block = comp_operations_.rbegin(); block != comp_operations_.rend(); ++block)
    run(**block, false);
  for (auto block = down_operations_.rbegin(); block != down_operations_.rend(); ++block)
    run(**block, block == down_operations_.rbegin());
  Tensor image = join_channels(halves);
  for (auto level = haar_operations_.rbegin(); level != haar_operations_.rend(); ++level) {
    image = (*level)->inverse(image);
    log_det.add_haar(image.shape());
  }
  return {image, lr, with_log_det ? log_det.total(y.dtype()) : Tensor()};
}

Tensor Sain::sample_latent(const Shape& shape, Generator& generator) const {
  return gmm_.sample(shape, generator);
}

}  // namespace mini::models
