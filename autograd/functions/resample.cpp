// The content-adaptive resampler with gradients. Kernels of its own compute the value and the first
// derivative; when backward is itself recorded, it replays the definition, composed of functions of
// the catalogue.
#include "ops/resample.h"

#include <cmath>

#include "autograd/functions.h"
#include "autograd/node.h"
#include "ops/elementwise.h"
#include "tensor/view.h"

namespace mini {
namespace {

// ⌊x⌋ in float64; a constant.
Tensor floor_of(const Tensor& x) {
  const Tensor value = ops::cast(x.detach(), DType::float64);
  const Tensor truncated = ops::cast(ops::cast(value, DType::int64), DType::float64);
  return truncated - greater(truncated, value);
}

// The pixels between which the taps lie along one axis: all tensors [N,k²,h,w], the pixels float64.
struct Positions {
  Tensor low, high, fraction;

  // `start` holds the position of each tap without its offset, rounded down.
  Positions(const Tensor& offsets, const Tensor& start, std::int64_t scale, std::int64_t size) {
    const Tensor shift = affine(offsets, static_cast<double>(scale), scale % 2 == 0 ? 0.5 : 0.0);
    const Tensor below = floor_of(shift);
    const auto last = static_cast<double>(size - 1);
    low = clamp(below + ops::to_device(start, below.device()), 0, last);
    high = clamp(low + 1.0, 0, last);
    fraction = shift - ops::cast(below, shift.dtype());
  }
};

// [1,k²,h,1] or [1,k²,1,w]: `step`·position + (step-1)/2 + the tap's row or column.
Tensor starts(std::int64_t side, std::int64_t positions, std::int64_t step, bool vertical) {
  std::vector<double> values;
  for (std::int64_t t = 0; t < side * side; ++t)
    for (std::int64_t i = 0; i < positions; ++i) {
      const std::int64_t tap = vertical ? t / side : t % side, middle = (step - 1) / 2;
      values.push_back(static_cast<double>(i * step + middle + tap));
    }
  return Tensor::from(
      values, vertical ? Shape{1, side * side, positions, 1} : Shape{1, side * side, 1, positions});
}

// The definition of ops/resample.h, composed of functions of the catalogue.
Tensor composed_resample(const Tensor& image, const Tensor& kernels, const Tensor& offsets_h,
                         const Tensor& offsets_v, std::int64_t scale) {
  const std::int64_t n = image.size(0), c = image.size(1), taps = kernels.size(1);
  const std::int64_t h = kernels.size(2), w = kernels.size(3);
  const auto side = std::llround(std::sqrt(static_cast<double>(taps)));
  const Positions x(offsets_h, starts(side, w, scale, false), scale, image.size(3));
  const Positions y(offsets_v, starts(side, h, scale, true), scale, image.size(2));

  const auto pixels = [&](const Tensor& rows, const Tensor& columns) {
    const Tensor place = rows * static_cast<double>(image.size(3)) + columns;
    const Tensor indices = ops::reshape(ops::cast(place, DType::int64), {n, 1, taps, h * w});
    const Tensor each = ops::contiguous(ops::expand(indices, {n, c, taps, h * w}));
    return reshape(gather_planes(image, each), {n, c, taps, h, w});
  };
  const Tensor fx = unsqueeze(x.fraction, 1), fy = unsqueeze(y.fraction, 1);
  const auto between = [](const Tensor& a, const Tensor& b, const Tensor& f) {
    return a + f * (b - a);
  };
  const Tensor top = between(pixels(y.low, x.low), pixels(y.low, x.high), fx);
  const Tensor bottom = between(pixels(y.high, x.low), pixels(y.high, x.high), fx);
  return sum(between(top, bottom, fy) * unsqueeze(kernels, 1), std::vector<int>{2});
}

}  // namespace

Tensor adaptive_resample(const Tensor& image, const Tensor& kernels, const Tensor& offsets_h,
                         const Tensor& offsets_v, std::int64_t scale) {
  return record("adaptive_resample", {image, kernels, offsets_h, offsets_v},
                ops::adaptive_resample(image, kernels, offsets_h, offsets_v, scale),
                [=](const Backward& context, const Tensor& dy) -> Tensors {
                  if (grad_enabled())
                    return context.replay(
                        {composed_resample(image, kernels, offsets_h, offsets_v, scale)}, {dy});
                  Tensors grads(4);
                  if (context.needs(0))
                    grads[0] = ops::adaptive_resample_image_gradient(dy, image.shape(), kernels,
                                                                     offsets_h, offsets_v, scale);
                  if (context.needs(1) || context.needs(2) || context.needs(3)) {
                    auto [dkernels, dh, dv] = ops::adaptive_resample_gradient(
                        dy, image, kernels, offsets_h, offsets_v, scale);
                    grads[1] = std::move(dkernels);
                    grads[2] = std::move(dh);
                    grads[3] = std::move(dv);
                  }
                  return grads;
                });
}

}  // namespace mini
