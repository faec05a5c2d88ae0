#include "ops/activation.h"

#include "ops/kernels.h"
#include "tensor/view.h"

namespace mini::ops {

Tensor fused_leaky_relu(const Tensor& x, const Tensor& bias, double slope, double scale) {
  check(x.rank() >= 2 && bias.shape() == Shape{x.size(1)}, "fused_leaky_relu: bias ", bias.shape(),
        " must have one value for each channel of ", x.shape());
  check(x.dtype() == bias.dtype() && x.device() == bias.device(), "fused_leaky_relu: x is ",
        x.dtype(), " on ", x.device(), ", the bias ", bias.dtype(), " on ", bias.device());
  check(slope >= 0 && scale > 0, "fused_leaky_relu: needs slope >= 0 and scale > 0, got ", slope,
        " and ", scale);
  Shape channels = bias.shape();
  for (int d = 2; d < x.rank(); ++d) channels.push_back(1);
  Tensor y = Tensor::empty_like(x);
  MINI_DISPATCH(x.device(), fused_leaky_relu, x, expand(reshape(bias, channels), x.shape()), y,
                slope, scale);
  return y;
}

Tensor fused_leaky_relu_gradient(const Tensor& dy, const Tensor& y, double slope, double scale) {
  Tensor dx = Tensor::empty_like(y);
  MINI_DISPATCH(dy.device(), fused_leaky_relu_gradient, dy, y, dx, slope, scale);
  return dx;
}

}  // namespace mini::ops
