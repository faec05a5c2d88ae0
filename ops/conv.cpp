#include "ops/conv.h"

#include "ops/kernels.h"
#include "tensor/view.h"

namespace mini::ops {
namespace {

void check_alike(const Tensor& a, const Tensor& b, const char* op) {
  check(a.dtype() == b.dtype(), op, ": dtypes ", a.dtype(), " and ", b.dtype(),
        " differ; cast one");
  check(a.device() == b.device(), op, ": operands are on ", a.device(), " and ", b.device());
}

Tensor empty_image(const Shape& shape, const Tensor& like) {
  const std::int64_t c = shape[1], h = shape[2], w = shape[3];
  return Tensor::empty_strided(shape, {c * h * w, 1, w * c, c}, like.dtype(), like.device());
}

}  // namespace

Tensor conv2d(const Tensor& x, const Tensor& w, const Tensor& bias, const Conv2dParams& params) {
  check_alike(x, w, "conv2d");
  Tensor y = empty_image(params.output_shape(x.shape(), w.shape(), "conv2d"), x);
  if (bias.defined()) {
    check_alike(x, bias, "conv2d");
    check(bias.shape() == Shape{w.size(0)}, "conv2d: bias of shape ", bias.shape(), " for ",
          w.size(0), " output channels");
  }
  if (y.numel() == 0) return y;
  MINI_DISPATCH(x.device(), conv2d, x, contiguous(w), bias.defined() ? contiguous(bias) : bias, y,
                params);
  return y;
}

Tensor conv2d_input_gradient(const Tensor& dy, const Tensor& w, const Shape& x,
                             const Conv2dParams& params) {
  check_alike(dy, w, "conv2d_input_gradient");
  const Shape expected = params.output_shape(x, w.shape(), "conv2d_input_gradient");
  check(dy.shape() == expected, "conv2d_input_gradient: the gradient has shape ", dy.shape(),
        ", the output ", expected);
  Tensor dx = empty_image(x, dy);
  if (dx.numel() == 0) return dx;
  if (dy.numel() == 0) {
    fill(dx, 0);
    return dx;
  }
  MINI_DISPATCH(dy.device(), conv2d_input_gradient, dy, contiguous(w), dx, params);
  return dx;
}

Tensor conv2d_weight_gradient(const Tensor& x, const Tensor& dy, const Shape& w,
                              const Conv2dParams& params) {
  check_alike(x, dy, "conv2d_weight_gradient");
  const Shape expected = params.output_shape(x.shape(), w, "conv2d_weight_gradient");
  check(dy.shape() == expected, "conv2d_weight_gradient: the gradient has shape ", dy.shape(),
        ", the output ", expected);
  Tensor dw = Tensor::empty(w, x.dtype(), x.device());
  if (dw.numel() == 0) return dw;
  if (dy.numel() == 0) {
    fill(dw, 0);
    return dw;
  }
  MINI_DISPATCH(x.device(), conv2d_weight_gradient, x, dy, dw, params);
  return dw;
}

}  // namespace mini::ops
