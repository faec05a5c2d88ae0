// The modes of pictures, and the ways from one to another.
//
// A picture as a file stores it is [H,W,C]: gray (C = 1), gray and alpha (2), RGB (3), RGB and alpha (4),
// of 8 bits (uint8) or more (float32 in [0,1]). Alpha is not multiplied in. Decoding gives it with
// ReadOptions::native; PNG stores all of these, JPEG and WebP those that encode() allows.
#pragma once

#include "tensor/tensor.h"

namespace mini::io {

// Throws, in the name of `op`, when the tensor is no picture or has no pixels.
void check_picture(const Tensor& picture, const char* op);

inline bool is_gray(const Tensor& picture) { return picture.size(2) <= 2; }
inline bool has_alpha(const Tensor& picture) { return picture.size(2) % 2 == 0; }
// Whether no pixel lets the ground through.
bool is_opaque(const Tensor& picture);

// The first C channels.
Tensor first_channels(const Tensor& picture, std::int64_t channels);
// Gray repeated as RGB, with its alpha.
Tensor to_rgb(const Tensor& picture);
// The mean of RGB, with its alpha.
Tensor to_gray(const Tensor& picture);
// Laid on white: without alpha.
Tensor on_white(const Tensor& picture);
// Rounded to 8 bits, and 8 bits as float32.
Tensor to_8_bits(const Tensor& picture);
Tensor to_32_bits(const Tensor& picture);

}  // namespace mini::io
