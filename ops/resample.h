// The content-adaptive resampler without gradients (W. Sun, Z. Chen, "Learned image downscaling for
// upscaling using content adaptive resampler", IEEE TIP 2020): every pixel of the small image is a
// sum over k×k taps, with weights and places of its own.
//
//   y[n,c,i,j] = Σ over taps t = (ty,tx) of kernels[n,t,i,j]·image[n,c,Y,X]
//   Y = (i + 1/2)·scale - 1/2 + ty + scale·offsets_v[n,t,i,j],  X likewise with j, tx, offsets_h
//
// Between pixels the image is interpolated bilinearly, between ⌊X⌋ and the next column. Outside of
// the image ⌊X⌋ is clamped, but the fraction X - ⌊X⌋ is not. Callers pad the image by ⌊k/2⌋.
//
// Shapes: image [N,C,H,W], the others [N,k²,h,w]; y [N,C,h,w]. Read next: ops/cpu/resample.cpp.
#pragma once

#include "tensor/tensor.h"

namespace mini::ops {

Tensor adaptive_resample(const Tensor& image, const Tensor& kernels, const Tensor& offsets_h,
                         const Tensor& offsets_v, std::int64_t scale);

struct ResampleGradients {
  Tensor kernels, offsets_h, offsets_v;
};
// For dy [N,C,h,w]. Whole parts of positions, and clamps, count as constants.
ResampleGradients adaptive_resample_gradient(const Tensor& dy, const Tensor& image,
                                             const Tensor& kernels, const Tensor& offsets_h,
                                             const Tensor& offsets_v, std::int64_t scale);
// The gradient of the image, which has shape `image`.
Tensor adaptive_resample_image_gradient(const Tensor& dy, const Shape& image, const Tensor& kernels,
                                        const Tensor& offsets_h, const Tensor& offsets_v,
                                        std::int64_t scale);

}  // namespace mini::ops
