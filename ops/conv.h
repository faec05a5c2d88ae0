// Convolution without gradients: a closed set of three functions, linear in each argument.
//   F  y(n,o,i,j) = bias(o) + sum over c,a,b of x(n,c, i·s + a·d - p, j·s + b·d - p) · w(o,c,a,b)
//   D  dx = the adjoint of F in x: the gradient of the input, also called transposed convolution
//   W  dw = the adjoint of F in w: the gradient of the weight
// The derivatives of each are the other two. Operands are float32 or float64 and may have any
// strides; the kernels read channels-last ones fastest. Results of F and D are channels-last
// (logical order N,C,H,W, memory order N,H,W,C), so that the channels of a pixel are contiguous.
// Read next: ops/cpu/conv.cpp.
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
