// upfirdn2d without gradients: a finite filter between two changes of the sampling rate, for every
// channel by itself (T. Karras et al., "Analyzing and improving the image quality of StyleGAN", CVPR
// 2020; the name is MATLAB's).
//
//   z: x with up - 1 zeros after each pixel, then margins of zeros (negative: cropped)
//   y(i,j) = Σ over a,b of kernel(kh-1-a, kw-1-b)·z(i·down + a, j·down + b)
//
// The zeros are not multiplied: at a place, only each up-th tap meets a pixel.
// Read next: ops/functors_fir.h, ops/cpu/fir.cpp.
#pragma once

#include "ops/params.h"
#include "tensor/tensor.h"

namespace mini::ops {

// x [N,C,H,W] of any strides, kernel [kh,kw] -> [N,C,H',W'], channels-last.
Tensor upfirdn2d(const Tensor& x, const Tensor& kernel, const FirParams& params);

}  // namespace mini::ops
