// Convolution of values, no gradients: a closed trio.
//   F  y(n,o,i,j) = bias(o) + sum over c,a,b of x(n,c, i·s + a·d - p, j·s + b·d - p) · w(o,c,a,b)
//   D  dx = the adjoint of F in x: the gradient of the input, also called transposed convolution
//   W  dw = the adjoint of F in w: the gradient of the weight
// Each one's derivatives are the other two. Results of F and D are channels-last (logical NCHW,
// memory order N,H,W,C): the channels of a pixel side by side are what makes the kernels fast.
// Operands may have any strides; channels-last ones are read fastest.
// float32 or float64. Read next: ops/cpu/conv.cpp.
#pragma once

#include "ops/params.h"
#include "tensor/tensor.h"

namespace mini::ops {

// x [N,C,H,W], w [O,C/groups,kh,kw], bias [O] or undefined -> [N,O,H',W'].
Tensor conv2d(const Tensor& x, const Tensor& w, const Tensor& bias = {},
              const Conv2dParams& params = {});

// dy [N,O,H',W'], w [O,C/groups,kh,kw] -> dx of shape x [N,C,H,W].
Tensor conv2d_input_gradient(const Tensor& dy, const Tensor& w, const Shape& x,
                             const Conv2dParams& params = {});

// x [N,C,H,W], dy [N,O,H',W'] -> dw of shape w [O,C/groups,kh,kw], contiguous.
Tensor conv2d_weight_gradient(const Tensor& x, const Tensor& dy, const Shape& w,
                              const Conv2dParams& params = {});

}  // namespace mini::ops
