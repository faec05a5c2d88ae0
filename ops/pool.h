// Pooling on values, no gradients: each result element looks at one window of one plane.
//
//   x [N,C,H,W] -> y [N,C,H',W'], H' = (H + 2p - k)/s + 1   (Pool2dParams::output_shape)
//
// Read next: ops/cpu/pool.cpp.
#pragma once

#include "ops/params.h"
#include "tensor/tensor.h"

namespace mini::ops {

struct MaxPool {
  Tensor y;
  Tensor indices;  // int64, shape of y: position h·W + w of the maximum in its plane
};

// Padding never wins; of equals the first does, and NaN before all else.
MaxPool max_pool2d(const Tensor& x, const Pool2dParams& params);
// Mean over the window, the zeros of the padding counted.
Tensor avg_pool2d(const Tensor& x, const Pool2dParams& params);
// Its adjoint: from the gradient of y to that of an x of shape `x_shape`.
Tensor avg_pool2d_gradient(const Tensor& dy, const Shape& x_shape, const Pool2dParams& params);

// x [N,C,H,W], indices [N,C,h,w] -> y[n,c,i] = x[n,c,indices[n,c,i]].
Tensor gather_planes(const Tensor& x, const Tensor& indices);
// Its adjoint: adds x[n,c,i] [N,C,h,w] to y[n,c,indices[n,c,i]], y zero elsewhere and of
// `y_shape`.
Tensor scatter_planes(const Tensor& x, const Tensor& indices, const Shape& y_shape);

}  // namespace mini::ops
