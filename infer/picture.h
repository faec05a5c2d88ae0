// Pictures for people to compare methods on. Images are uint8 [H,W,3].
#pragma once

#include <cstdint>
#include <span>

#include "tensor/tensor.h"

namespace mini::infer {

// Each pixel becomes a square of factor x factor.
Tensor enlarge(const Tensor& image, std::int64_t factor);
// The middle of the image, at most `side` pixels wide and high, sides multiples of `multiple`.
Tensor crop_middle(const Tensor& image, std::int64_t side, std::int64_t multiple);
// From left to right, `gap` white pixels between; shorter images are filled up with white below.
Tensor side_by_side(std::span<const Tensor> images, std::int64_t gap = 4);
// Gray: the mean over the channels of |a - b|, times `gain`, at most 255.
Tensor difference_map(const Tensor& a, const Tensor& b, int gain);

}  // namespace mini::infer
