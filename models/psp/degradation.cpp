#include "models/psp/degradation.h"

#include <cmath>
#include <numeric>
#include <vector>

#include "autograd/functions.h"
#include "tensor/view.h"

namespace mini::models {
namespace {

double cubic(double x) {  // Keys' kernel, a = -1/2
  const double t = std::abs(x);
  if (t <= 1) return (1.5 * t - 2.5) * t * t + 1;
  if (t < 2) return ((-0.5 * t + 2.5) * t - 4) * t + 2;
  return 0;
}

// 4·factor taps, whose sum is 1.
std::vector<double> taps(std::int64_t factor) {
  std::vector<double> weights;
  for (std::int64_t i = 0; i < 4 * factor; ++i)
    weights.push_back(
        cubic((static_cast<double>(i - 2 * factor) + 0.5) / static_cast<double>(factor)));
  const double total = std::reduce(weights.begin(), weights.end());
  for (double& weight : weights) weight /= total;
  return weights;
}

}  // namespace

Tensor psp_downsample(const Tensor& x, std::int64_t factor) {
  check(x.rank() == 4 && factor >= 1 && x.size(2) % factor == 0 && x.size(3) % factor == 0,
        "psp_downsample: needs [N,C,H,W] with sides that are multiples of the factor ", factor,
        ", got ", x.shape());
  const std::int64_t before = 3 * factor / 2, after = 3 * factor - before;
  const std::int64_t channels = x.size(1), length = 4 * factor;
  const Tensor line = ops::to_device(
      ops::cast(Tensor::from(taps(factor), {1, 1, length, 1}), x.dtype()), x.device());
  const Tensor column = ops::expand(line, {channels, 1, length, 1});
  const Tensor rows = conv2d(pad2d(x, {.top = before, .bottom = after}, PadMode::reflect), column,
                             {}, {.stride = {factor, 1}, .groups = channels});
  return conv2d(pad2d(rows, {.left = before, .right = after}, PadMode::reflect),
                ops::transpose(column, 2, 3), {}, {.stride = {1, factor}, .groups = channels});
}

}  // namespace mini::models
