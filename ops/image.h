// Image geometry without gradients: padding, the Haar transform, resizing. Images are [N,C,H,W].
//
// All functions are linear. Each has its adjoint beside it, or is composed of functions that have.
// Read next: ops/cpu/image.cpp, autograd/functions/image.cpp.
#pragma once

#include "ops/params.h"
#include "tensor/tensor.h"

namespace mini::ops {

// x [N,C,H,W] -> [N,C,top+H+bottom,left+W+right]. Replicate repeats the border pixel. Reflect
// mirrors the image without repeating the border pixel, so each margin must be smaller than the
// image.
Tensor pad2d(const Tensor& x, const Padding2d& padding, PadMode mode);
// The adjoint: adds each pixel of the margins to the pixel it was copied from.
Tensor pad2d_adjoint(const Tensor& dy, const Padding2d& padding, PadMode mode);

// [N,C,H,W] -> [N,4C,H/2,W/2], H and W even. With the 2x2 pixels a b / c d, channel k·C + i is
//   k = 0: (a+b+c+d)/4   1: (a-b+c-d)/4   2: (a+b-c-d)/4   3: (a-b-c+d)/4   of channel i.
Tensor haar(const Tensor& x);
// The inverse; it equals four times the adjoint.
Tensor haar_inverse(const Tensor& y);

// Applies a sparse map along dimension `dim`, whose extent becomes map.output_size().
Tensor linear_map(const Tensor& x, const LinearMap& map, int dim);

// MATLAB's imresize along a line of `size` pixels. It uses Keys' cubic kernel with a = -0.5 (R.
// Keys, "Cubic convolution interpolation for digital image processing", 1981), widened by 1/scale
// when shrinking; weights are normalised, and borders are mirrored, repeating the border pixel.
// Output pixel i (from 0) lies at (i + 0.5)/scale - 0.5; there are ceil(size · scale) of them.
LinearMap bicubic_map(std::int64_t size, double scale);

// Linear interpolation from `size` to `output_size` pixels; output pixel i (from 0) lies at
// (i + 0.5)·size/output_size - 0.5 or, with align_corners, at i·(size - 1)/(output_size - 1), and
// the border pixel is repeated.
LinearMap bilinear_map(std::int64_t size, std::int64_t output_size, bool align_corners);

// The means of `output_size` windows that cover `size` pixels: window i reaches from
// ⌊i·size/output_size⌋ to ⌈(i + 1)·size/output_size⌉, so windows may overlap.
LinearMap average_map(std::int64_t size, std::int64_t output_size);

}  // namespace mini::ops
