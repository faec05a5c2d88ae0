// Pooling without gradients: each element of the result depends on one window of one plane.
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
  Tensor indices;  // int64, shape of y: place h·W + w of the maximum in its plane
};

// Padding never wins. Of equal elements the first wins; NaN wins against all numbers.
MaxPool max_pool2d(const Tensor& x, const Pool2dParams& params);
// The mean over the window, including the zeros of the padding.
Tensor avg_pool2d(const Tensor& x, const Pool2dParams& params);
// The adjoint: the gradient of x, which has shape `x_shape`, for dy [N,C,H',W'].
Tensor avg_pool2d_gradient(const Tensor& dy, const Shape& x_shape, const Pool2dParams& params);

// y[n,c,i] = x[n,c,indices[n,c,i]], for x [N,C,H,W] and indices [N,C,h,w].
Tensor gather_planes(const Tensor& x, const Tensor& indices);
// The adjoint: adds x[n,c,i] to y[n,c,indices[n,c,i]], for x and indices [N,C,h,w]. y has shape
// `y_shape` and is zero elsewhere.
Tensor scatter_planes(const Tensor& x, const Tensor& indices, const Shape& y_shape);

}  // namespace mini::ops
