// PSNR and SSIM of two 8-bit images, as the papers on image rescaling report them.
//
//   PSNR = 10·log10(255² / mean of d²)                       dB; infinity for equal images
//   SSIM: Wang et al., "Image quality assessment: from error visibility to structural similarity",
//         IEEE TIP 2004: 11×11 Gaussian, sigma 1.5, valid region only, C1 = (0.01·255)²,
//         C2 = (0.03·255)²
// Y is the luma of ITU-R BT.601 in 16..235: (65.481R + 128.553G + 24.966B)/255 + 16, not rounded.
// RGB: PSNR over all three channels' samples, SSIM the mean of the three channels' maps.
#pragma once

#include <cstdint>

#include "tensor/tensor.h"

namespace mini::infer {

enum class Colour { rgb, y };

// Images are uint8 [H,W,3] of one size; `border` pixels are left out on each side. SSIM needs
// 11 pixels on each side after that. The result is the same at any thread count.
double psnr(const Tensor& a, const Tensor& b, Colour colour, std::int64_t border = 0);
double ssim(const Tensor& a, const Tensor& b, Colour colour, std::int64_t border = 0);

}  // namespace mini::infer
