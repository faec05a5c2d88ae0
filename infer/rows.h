// Strips of an image on their way into a network and back.
//
// An image has 8 bits a value, uint8 [H,W,3], or more, float32 [H,W,3] in [0,1].
#pragma once

#include <cstdint>

#include "tensor/tensor.h"

namespace mini::infer {

// Where pixel i of a side that is continued by its mirror image comes from: 0 1 2 1 0 1 for size 3.
std::int64_t mirrored(std::int64_t i, std::int64_t size);

// `count` rows from `first` on of the image continued by its mirror image, at the bottom as far as they
// reach and at the right to a multiple of `unit`: float [1,3,count,W'] in [0,1].
Tensor rows_of(const Tensor& image, std::int64_t first, std::int64_t count, std::int64_t unit);

// Puts strips of a result into an image, one below the other.
class ImageBuilder {
 public:
  ImageBuilder(std::int64_t height, std::int64_t width, DType dtype);
  // [1,3,R,W], on any device; an undefined tensor has no rows. Values are limited to [0,1].
  void append(const Tensor& rows);
  const Tensor& image() const { return image_; }

 private:
  Tensor image_;
  std::int64_t done_ = 0;
};

}  // namespace mini::infer
