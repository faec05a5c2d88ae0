// The JPEG simulator without gradients: the losses of JPEG as a differentiable function (R. Shin,
// D. Song, "JPEG-resistant adversarial images", 2017; used by SAIN).
//
//   x·255 -> Y Cb Cr -> chroma averaged over 2x2 -> 8x8 blocks, -128, DCT-II (orthonormal)
//     -> /step -> soft rounding -> ·step -> inverse DCT, +128 -> chroma repeated 2x2 -> RGB
//     -> clamp to [0, 255] -> /255
//   step = table · scale, scale = (quality < 50 ? 5000/quality : 200 - 2·quality)/100, neither
//   rounded nor clamped.
//
// At quality 100 the scale is 0, and nothing is rounded: the limit for small steps. Sides that are
// not multiples of 16 are padded by repeating the last row and column, and cropped in the end. All
// stages but the soft rounding (ops/functors_jpeg.h) and the clamp are linear, so the gradient
// applies the adjoint stages in reverse. Read next: ops/cpu/jpeg.cpp.
#pragma once

#include <span>
#include <vector>

#include "tensor/tensor.h"

namespace mini::ops {

// Returns one scale per image. `quality` has one entry for all images or one for each, in 1..100.
std::vector<double> jpeg_scales(std::span<const double> quality, std::int64_t images);

// x [N,3,H,W] in [0,1], scales [N].
Tensor diff_jpeg(const Tensor& x, std::span<const double> scales);
Tensor diff_jpeg_gradient(const Tensor& dy, const Tensor& x, std::span<const double> scales);

// The orthonormal DCT-II of 8 samples: [frequency][sample], row-major.
std::vector<double> dct_matrix();

}  // namespace mini::ops
