#include "models/irn/irn.h"

#include "autograd/functions.h"
#include "models/invertible/log_det.h"

namespace mini::models {
namespace {

constexpr std::int64_t image_channels = 3;

}  // namespace

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

Pass Irn::forward(const Tensor& x, bool with_log_det) const {
  LogDet log_det(+1, x.size(0));
  Tensor image = x;
  for (const Level& level : levels_) {
    log_det.add_haar(image.shape());
    Halves halves = split_channels(level.haar->forward(image), image_channels);
    for (const auto& block : level.blocks) {
      InvertibleBlock::Tap tap;
      halves = block->forward(halves, with_log_det ? &tap : nullptr);
      if (with_log_det) log_det.add_coupling(tap.log_scale);
    }
    image = join_channels(halves);
  }
  return {image, narrow(image, 1, 0, image_channels),
          with_log_det ? log_det.total(x.dtype()) : Tensor()};
}

Pass Irn::inverse(const Tensor& y, bool with_log_det) const {
  LogDet log_det(-1, y.size(0));
  Tensor image = y;
  for (auto level = levels_.rbegin(); level != levels_.rend(); ++level) {
    Halves halves = split_channels(image, image_channels);
    for (auto block = level->blocks.rbegin(); block != level->blocks.rend(); ++block) {
      InvertibleBlock::Tap tap;
      halves = (*block)->inverse(halves, with_log_det ? &tap : nullptr);
      if (with_log_det) log_det.add_coupling(tap.log_scale);
    }
    image = level->haar->inverse(join_channels(halves));
    log_det.add_haar(image.shape());
  }
  return {image, narrow(y, 1, 0, image_channels),
          with_log_det ? log_det.total(y.dtype()) : Tensor()};
}

Tensor Irn::sample_latent(const Shape& shape, Generator& generator) const {
  return ops::normal(generator, shape, parameters().front().dtype());
}

}  // namespace mini::models
