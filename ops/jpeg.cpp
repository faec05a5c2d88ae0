#include "ops/jpeg.h"

#include <cmath>
#include <numbers>

#include "ops/kernels.h"
#include "tensor/view.h"

namespace mini::ops {

std::vector<double> jpeg_scales(std::span<const double> quality, std::int64_t images) {
  const auto count = static_cast<std::int64_t>(quality.size());
  check(count == 1 || count == images, "diff_jpeg: ", count, " qualities for ", images,
        " images; give one for all or one for each");
  std::vector<double> scales;
  for (std::int64_t n = 0; n < images; ++n) {
    const double q = quality[static_cast<std::size_t>(count == 1 ? 0 : n)];
    check(q >= 1 && q <= 100, "diff_jpeg: quality must be between 1 and 100, got ", q);
    scales.push_back((q < 50 ? 5000 / q : 200 - 2 * q) / 100);
  }
  return scales;
}

namespace {

void check_image(const Tensor& x, std::span<const double> scales) {
  check(x.rank() == 4 && x.size(1) == 3, "diff_jpeg: input must be RGB [N,3,H,W], got ", x.shape());
  check(static_cast<std::int64_t>(scales.size()) == x.size(0), "diff_jpeg: ", scales.size(),
        " scales for ", x.size(0), " images");
}

}  // namespace

Tensor diff_jpeg(const Tensor& x, std::span<const double> scales) {
  check_image(x, scales);
  Tensor y = Tensor::empty(x.shape(), x.dtype(), x.device());
  MINI_DISPATCH(x.device(), diff_jpeg, contiguous(x), scales, y);
  return y;
}

Tensor diff_jpeg_gradient(const Tensor& dy, const Tensor& x, std::span<const double> scales) {
  check_image(x, scales);
  check(dy.shape() == x.shape(), "diff_jpeg: gradient has shape ", dy.shape(), ", expected ",
        x.shape());
  check(dy.device() == x.device(), "diff_jpeg: gradient and image are on ", dy.device(), " and ",
        x.device());
  Tensor dx = Tensor::zeros(x.shape(), x.dtype(), x.device());
  MINI_DISPATCH(x.device(), diff_jpeg_gradient, contiguous(dy), contiguous(x), scales, dx);
  return dx;
}

std::vector<double> dct_matrix() {
  std::vector<double> matrix;
  for (int u = 0; u < 8; ++u)
    for (int i = 0; i < 8; ++i)
      matrix.push_back((u == 0 ? std::sqrt(0.125) : 0.5) *
                       std::cos((2 * i + 1) * u * std::numbers::pi / 16));
  return matrix;
}

}  // namespace mini::ops
