#include "models/hcflow/flow_step.h"

#include "autograd/functions.h"

namespace mini::models {
namespace {

constexpr std::int64_t image_channels = 3;

std::pair<Tensor, Tensor> halves(const Tensor& x) {
  return {narrow(x, 1, 0, image_channels),
          narrow(x, 1, image_channels, x.size(1) - image_channels)};
}

}  // namespace

std::pair<Tensor, Tensor> interleaved(const Tensor& x) {
  const Tensor pairs = reshape(x, {x.size(0), x.size(1) / 2, 2, x.size(2), x.size(3)});
  return {select(pairs, 2, 0), select(pairs, 2, 1)};
}

Tensor gentle_log_scale(const Tensor& scale) { return atan(scale * 2.0) * 0.318; }

void add_log_det(const Tensor& log_det, Tensor* total) {
  if (total != nullptr) *total = *total + log_det;
}

FlowStep::FlowStep(std::int64_t channels, bool even, std::int64_t growth, Generator& generator)
    : even_(even),
      actnorm_(channels),
      dense_(even ? image_channels : channels - image_channels,
             even ? 2 * (channels - image_channels) : image_channels, growth, generator) {
  register_module("actnorm", actnorm_);
  register_module("affine.f", dense_);
}

Tensor FlowStep::forward(const Tensor& x, Tensor* log_det) const {
  const auto [x1, x2] = halves(actnorm_(x));
  add_log_det(actnorm_.log_det(x.shape()), log_det);
  if (!even_) return concat({x1 + dense_(x2), x2}, 1);
  const auto [shift, scale] = interleaved(dense_(x1));
  const Tensor g = gentle_log_scale(scale);
  add_log_det(sum(g, std::vector<int>{1, 2, 3}), log_det);
  return concat({x1, (x2 + shift) * exp(g)}, 1);
}

Tensor FlowStep::inverse(const Tensor& y) const {
  const auto [y1, y2] = halves(y);
  if (!even_) return actnorm_.inverse(concat({y1 - dense_(y2), y2}, 1));
  const auto [shift, scale] = interleaved(dense_(y1));
  return actnorm_.inverse(concat({y1, y2 * exp(-gentle_log_scale(scale)) - shift}, 1));
}

}  // namespace mini::models
