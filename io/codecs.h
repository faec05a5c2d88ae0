// One pair of functions a codec; io/image.h is what users call. All throw Error without a prefix.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "io/file.h"
#include "tensor/tensor.h"

namespace mini::io {

// A size read from a header, checked before memory is taken: uint8 [height,width,3].
Tensor allocate_image(std::int64_t width, std::int64_t height);

bool is_jpeg(std::span<const std::byte> bytes);
Tensor decode_jpeg(std::span<const std::byte> bytes);
Bytes encode_jpeg(const Tensor& image, int quality);

bool is_webp(std::span<const std::byte> bytes);
Tensor decode_webp(std::span<const std::byte> bytes);
Bytes encode_webp(const Tensor& image, int quality);

Tensor decode_by_stb(std::span<const std::byte> bytes);
Bytes encode_png(const Tensor& image);

}  // namespace mini::io
