// How pSp makes pictures small for its super-resolution: an antialiased bicubic filter (a = -1/2) by a
// whole factor, with reflected borders.
#pragma once

#include <cstdint>

#include "tensor/tensor.h"

namespace mini::models {

// [N,C,H,W] -> [N,C,H/factor,W/factor]; the sides are multiples of the factor and larger than 3/2 of
// it. Neither clamped nor rounded.
Tensor psp_downsample(const Tensor& x, std::int64_t factor);

}  // namespace mini::models
