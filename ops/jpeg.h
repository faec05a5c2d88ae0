// DiffJPEG on values, no gradients: JPEG's losses as a differentiable function (R. Shin, D. Song,
// "JPEG-resistant adversarial images", 2017; SAIN's simulator).
//
//   x·255 -> Y Cb Cr -> chroma averaged over 2x2 -> 8x8 blocks, -128, DCT-II (orthonormal)
//     -> /step -> soft rounding -> ·step -> inverse DCT, +128 -> chroma repeated 2x2 -> RGB
//     -> clamp to [0, 255] -> /255
//   step = table · scale, scale = (quality < 50 ? 5000/quality : 200 - 2·quality)/100, neither
//   rounded nor clamped.
//
// At quality 100 the scale is 0; then nothing is rounded, which is the limit of small steps. Sides
// that are no multiples of 16 are padded by repeating the last row and column, and cropped again.
// Everything but the soft rounding (ops/functors_jpeg.h) and the clamp is linear, so the gradient
// is the adjoint of the stages in reverse. Read next: ops/cpu/jpeg.cpp.
#pragma once

#include <span>
#include <vector>

#include "tensor/tensor.h"

namespace mini::ops {

// One scale per image, from one quality for all or one for each; 1 <= quality <= 100.
std::vector<double> jpeg_scales(std::span<const double> quality, std::int64_t images);

// x [N,3,H,W] in [0,1].
Tensor diff_jpeg(const Tensor& x, std::span<const double> scales);
Tensor diff_jpeg_gradient(const Tensor& dy, const Tensor& x, std::span<const double> scales);

// The orthonormal DCT-II of 8 samples, [frequency][sample], row-major.
std::vector<double> dct_matrix();

}  // namespace mini::ops
