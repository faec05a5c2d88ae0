#include "ops/image.h"

#include <cmath>

#include "ops/kernels.h"
#include "tensor/view.h"

namespace mini::ops {
namespace {

// Checks that an image of shape x can be padded like this.
void check_padding(const Shape& x, const Padding2d& padding, PadMode mode, const char* op) {
  check(x.rank() == 4, op, ": input must be [N,C,H,W], got ", x);
  check(padding.left >= 0 && padding.right >= 0 && padding.top >= 0 && padding.bottom >= 0, op,
        ": padding must not be negative; use narrow to crop");
  // The minimum size of the image: 1 to repeat the border, margin + 1 to reflect.
  const std::int64_t high = std::max(padding.top, padding.bottom);
  const std::int64_t wide = std::max(padding.left, padding.right);
  const bool fits = mode == PadMode::zero        ? true
                    : mode == PadMode::replicate ? x[2] > 0 && x[3] > 0
                                                 : x[2] > high && x[3] > wide;
  check(fits, op, ": ", x, " is too small to ",
        mode == PadMode::reflect ? "reflect " : "replicate ", high, " rows and ", wide, " columns");
}

}  // namespace

Tensor pad2d(const Tensor& x, const Padding2d& padding, PadMode mode) {
  check_padding(x.shape(), padding, mode, "pad2d");
  const Shape shape{x.size(0), x.size(1), x.size(2) + padding.top + padding.bottom,
                    x.size(3) + padding.left + padding.right};
  Tensor y = Tensor::empty(shape, x.dtype(), x.device());
  MINI_DISPATCH(x.device(), pad2d, contiguous(x), y, mode, padding);
  return y;
}

Tensor pad2d_adjoint(const Tensor& dy, const Padding2d& padding, PadMode mode) {
  check(dy.rank() == 4, "pad2d_adjoint: input must be [N,C,H,W], got ", dy.shape());
  const Shape shape{dy.size(0), dy.size(1), dy.size(2) - padding.top - padding.bottom,
                    dy.size(3) - padding.left - padding.right};
  check(shape[2] >= 0 && shape[3] >= 0, "pad2d_adjoint: ", dy.shape(),
        " is smaller than its padding");
  check_padding(shape, padding, mode, "pad2d_adjoint");
  Tensor dx = Tensor::zeros(shape, dy.dtype(), dy.device());
  MINI_DISPATCH(dy.device(), pad2d_gradient, contiguous(dy), dx, mode, padding);
  return dx;
}

Tensor haar(const Tensor& x) {
  check(x.rank() == 4 && x.size(2) % 2 == 0 && x.size(3) % 2 == 0,
        "haar: input must be [N,C,H,W] with even H and W, got ", x.shape(), "; pad or crop it");
  Tensor y = Tensor::empty({x.size(0), 4 * x.size(1), x.size(2) / 2, x.size(3) / 2}, x.dtype(),
                           x.device());
  MINI_DISPATCH(x.device(), haar, contiguous(x), y);
  return y;
}

Tensor haar_inverse(const Tensor& y) {
  check(y.rank() == 4 && y.size(1) % 4 == 0, "haar_inverse: input must be [N,4C,H,W], got ",
        y.shape());
  Tensor x = Tensor::empty({y.size(0), y.size(1) / 4, 2 * y.size(2), 2 * y.size(3)}, y.dtype(),
                           y.device());
  MINI_DISPATCH(y.device(), haar_inverse, contiguous(y), x);
  return x;
}

Tensor linear_map(const Tensor& x, const LinearMap& map, int dim) {
  dim = normalize_dim(dim, x.rank(), "linear_map");
  check(x.size(dim) == map.input_size, "linear_map: dimension ", dim, " of ", x.shape(),
        " must have ", map.input_size, " elements");
  Shape shape = x.shape();
  std::int64_t outer = 1, inner = 1;
  for (int d = 0; d < x.rank(); ++d) (d < dim ? outer : inner) *= d == dim ? 1 : x.shape()[d];
  shape[dim] = map.output_size();
  Tensor y = Tensor::empty(shape, x.dtype(), x.device());
  MINI_DISPATCH(x.device(), linear_map, reshape(contiguous(x), {outer, map.input_size, inner}), map,
                reshape(y, {outer, map.output_size(), inner}));
  return y;
}

namespace {

double cubic(double x) {
  x = std::abs(x);
  if (x <= 1) return (1.5 * x - 2.5) * x * x + 1;
  if (x <= 2) return ((-0.5 * x + 2.5) * x - 4) * x + 2;
  return 0;
}

}  // namespace

LinearMap bicubic_map(std::int64_t size, double scale) {
  check(size > 0, "resize_bicubic: needs at least one pixel a side");
  check(std::isfinite(scale) && scale > 0, "resize_bicubic: scale must be above 0, got ", scale);
  const double output_size = std::ceil(static_cast<double>(size) * scale);
  check(output_size < 1e9, "resize_bicubic: ", size, " pixels times ", scale, " are too many");
  const double shrink = std::min(scale, 1.0);
  const double reach = 2 / shrink;  // the kernel is zero farther away

  LinearMap map;
  map.input_size = size;
  map.first.push_back(0);
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(output_size); ++i) {
    const double centre = (static_cast<double>(i) + 0.5) / scale - 0.5;
    const auto from = static_cast<std::int64_t>(std::floor(centre - reach));
    const auto to = static_cast<std::int64_t>(std::ceil(centre + reach));
    const auto row = map.weight.size();
    double total = 0;
    for (std::int64_t j = from; j <= to; ++j) {
      const double weight = cubic((centre - static_cast<double>(j)) * shrink);
      if (weight == 0) continue;
      // Mirrored indices ..., 1, 0 | 0, 1, ..., size-1 | size-1, size-2, ... have period 2·size.
      const std::int64_t k = ((j % (2 * size)) + 2 * size) % (2 * size);
      map.source.push_back(k < size ? k : 2 * size - 1 - k);
      map.weight.push_back(weight);
      total += weight;
    }
    for (auto t = row; t < map.weight.size(); ++t) map.weight[t] /= total;
    map.first.push_back(static_cast<std::int64_t>(map.weight.size()));
  }
  return map;
}

LinearMap bilinear_map(std::int64_t size, std::int64_t output_size, bool align_corners) {
  check(size > 0 && output_size > 0, "resize_bilinear: needs at least one pixel a side, before (",
        size, ") and after (", output_size, ")");
  const auto from = static_cast<double>(size), to = static_cast<double>(output_size);
  LinearMap map;
  map.input_size = size;
  map.first.push_back(0);
  for (std::int64_t i = 0; i < output_size; ++i) {
    const auto at = static_cast<double>(i);
    const double place = !align_corners     ? (at + 0.5) * (from / to) - 0.5
                         : output_size == 1 ? 0
                                            : at * ((from - 1) / (to - 1));
    const double inside = std::clamp(place, 0.0, from - 1), below = std::floor(inside);
    const auto source = static_cast<std::int64_t>(below);
    map.source.push_back(source);
    map.weight.push_back(1 - (inside - below));
    if (inside > below) {
      map.source.push_back(source + 1);
      map.weight.push_back(inside - below);
    }
    map.first.push_back(std::ssize(map.weight));
  }
  return map;
}

LinearMap average_map(std::int64_t size, std::int64_t output_size) {
  check(size > 0 && output_size > 0,
        "adaptive_avg_pool2d: needs at least one pixel a side, before (", size, ") and after (",
        output_size, ")");
  LinearMap map;
  map.input_size = size;
  map.first.push_back(0);
  for (std::int64_t i = 0; i < output_size; ++i) {
    const std::int64_t begin = i * size / output_size;
    const std::int64_t end = ((i + 1) * size + output_size - 1) / output_size;
    for (std::int64_t source = begin; source < end; ++source) {
      map.source.push_back(source);
      map.weight.push_back(1 / static_cast<double>(end - begin));
    }
    map.first.push_back(std::ssize(map.weight));
  }
  return map;
}

}  // namespace mini::ops
