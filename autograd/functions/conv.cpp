// Convolution: the three functions F, D and W of ops/conv.h. Each is linear in both of its
// arguments, so its gradients are the other two:
//   y  = F(x, w)    dx = D(dy, w)   dw = W(x, dy)
//   y  = D(x, w)    dx = F(dy, w)   dw = W(dy, x)
//   dw = W(x, dy)   x: D(dy, v)     dy: F(x, v)      where v is the gradient of dw
#include "ops/conv.h"

#include <array>

#include "autograd/functions.h"
#include "autograd/node.h"

namespace mini {
namespace {

constexpr std::array<int, 3> all_but_channels{0, 2, 3};

// The numbers of last rows and columns of x that no output depends on. conv_transpose2d needs them
// as output_padding to return to the shape of x.
std::array<std::int64_t, 2> unseen(const Shape& x, const Shape& w, const Shape& y,
                                   const Conv2dParams& params) {
  std::array<std::int64_t, 2> result{};
  for (int i = 0; i < 2; ++i) {
    const auto axis = static_cast<std::size_t>(i);
    const std::int64_t seen = (y[2 + i] - 1) * params.stride[axis] +
                              params.dilation[axis] * (w[2 + i] - 1) + 1 - 2 * params.padding[axis];
    result[axis] = x[2 + i] - seen;
  }
  return result;
}

// D, for an x of the given shape.
Tensor input_gradient(const Tensor& dy, const Tensor& w, const Shape& x,
                      const Conv2dParams& params) {
  return conv_transpose2d(dy, w, {}, params, unseen(x, w.shape(), dy.shape(), params));
}

}  // namespace

Tensor conv2d(const Tensor& x, const Tensor& w, const Tensor& bias, const Conv2dParams& params) {
  const auto backward = [x = saved_for(w, x), w = saved_for(x, w), x_shape = x.shape(),
                         w_shape = w.shape(), params, with_bias = bias.defined()](
                            const Backward& wanted, const Tensor& dy) -> Tensors {
    return {wanted.needs(0) ? input_gradient(dy, w, x_shape, params) : Tensor{},
            wanted.needs(1) ? conv2d_weight_gradient(x, dy, w_shape, params) : Tensor{},
            with_bias && wanted.needs(2) ? sum(dy, all_but_channels) : Tensor{}};
  };
  return record("conv2d", {x, w, bias}, ops::conv2d(x, w, bias, params), backward);
}

Tensor conv_transpose2d(const Tensor& x, const Tensor& w, const Tensor& bias,
                        const Conv2dParams& params, std::array<std::int64_t, 2> output_padding) {
  check(x.rank() == 4 && w.rank() == 4 && x.size(1) == w.size(0),
        "conv_transpose2d: needs x [N,O,H,W] and w [O,C/groups,kh,kw] (x=", x.shape(),
        ", w=", w.shape(), ")");
  Shape shape{x.size(0), w.size(1) * params.groups, 0, 0};
  for (int i = 0; i < 2; ++i) {
    const auto axis = static_cast<std::size_t>(i);
    check(output_padding[axis] >= 0 && output_padding[axis] < params.stride[axis],
          "conv_transpose2d: output padding ", output_padding[axis],
          " must be at least 0 and less than the stride ", params.stride[axis]);
    shape[2 + i] = (x.size(2 + i) - 1) * params.stride[axis] - 2 * params.padding[axis] +
                   params.dilation[axis] * (w.size(2 + i) - 1) + output_padding[axis] + 1;
    check(shape[2 + i] >= 1, "conv_transpose2d: padding ", params.padding[axis],
          " leaves nothing of the output (x=", x.shape(), ", w=", w.shape(), ")");
  }
  const auto backward = [x = saved_for(w, x), w = saved_for(x, w), w_shape = w.shape(), params](
                            const Backward& wanted, const Tensor& dy) -> Tensors {
    return {wanted.needs(0) ? conv2d(dy, w, {}, params) : Tensor{},
            wanted.needs(1) ? conv2d_weight_gradient(dy, x, w_shape, params) : Tensor{}};
  };
  const Tensor y =
      record("conv_transpose2d", {x, w}, ops::conv2d_input_gradient(x, w, shape, params), backward);
  if (!bias.defined()) return y;
  check(bias.shape() == Shape{shape[1]}, "conv_transpose2d: bias of shape ", bias.shape(), " for ",
        shape[1], " output channels");
  return add(y, reshape(bias, {1, shape[1], 1, 1}));
}

Tensor conv2d_weight_gradient(const Tensor& x, const Tensor& dy, const Shape& w,
                              const Conv2dParams& params) {
  const auto backward = [x = saved_for(dy, x), dy = saved_for(x, dy), x_shape = x.shape(), params](
                            const Backward& wanted, const Tensor& v) -> Tensors {
    return {wanted.needs(0) ? input_gradient(dy, v, x_shape, params) : Tensor{},
            wanted.needs(1) ? conv2d(x, v, {}, params) : Tensor{}};
  };
  return record("conv2d_weight_gradient", {x, dy}, ops::conv2d_weight_gradient(x, dy, w, params),
                backward);
}

}  // namespace mini
