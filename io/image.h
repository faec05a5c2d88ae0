// Images in memory and in files. An image is a uint8 Tensor [H,W,3], RGB, row-major.
//
// JPEG goes through libjpeg-turbo and WebP through libwebp with the settings that Pillow uses, so
// that file sizes and decoded pixels are those of the published evaluations: JPEG baseline, 4:2:0,
// standard Huffman tables, accurate integer DCT (ISO/IEC 10918-1, JFIF); WebP lossy, method 4 (RFC
// 9649). stb_image reads PNG and the rest (BMP, GIF, TGA, PNM, PSD).
//
// Decoding always ends in 8-bit RGB: gray is repeated, palettes are looked up, 16 bits keep the
// upper 8, CMYK is multiplied out without a colour profile, and alpha is dropped (not composited),
// as Pillow's convert("RGB") does. An orientation in EXIF data is not applied.
//
// Read next: io/jpeg.cpp (how C's error handling is made safe), then train/ for who calls this.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

#include "io/file.h"
#include "tensor/tensor.h"

namespace mini::io {

// Throws, in the name of `op`, what is no image or has no pixels.
void check_image(const Tensor& image, const char* op);

enum class ImageFormat { jpeg, webp, png };

// "jpeg" or "jpg", "webp", "png", in any case; anything else is an Error that lists these.
ImageFormat parse_image_format(std::string_view text);
std::string_view name_of(ImageFormat format);

// Images larger than this are refused before memory is taken.
inline constexpr std::int64_t max_image_side = 65535;
inline constexpr std::int64_t max_image_pixels = std::int64_t{1} << 30;

// quality 1 to 100; PNG is lossless and ignores it.
Bytes encode(const Tensor& image, ImageFormat format, int quality);
// The format is recognised by content. Corrupt or truncated data is an Error.
Tensor decode(std::span<const std::byte> bytes);

// The same on many, in parallel; results in order.
std::vector<Bytes> encode_batch(std::span<const Tensor> images, ImageFormat format, int quality);
std::vector<Tensor> decode_batch(std::span<const Bytes> files);

// Errors name the path.
Tensor read_image(const std::filesystem::path& path);
// The extension (.jpg, .jpeg, .webp, .png) says the format; an old file is replaced atomically.
void write_image(const std::filesystem::path& path, const Tensor& image, int quality = 95);

// value / 255: [H,W,3] -> [1,3,H,W], or N images of one size -> [N,3,H,W]. Any floating dtype.
Tensor to_float(const Tensor& image, DType dtype = DType::float32);
Tensor to_float(std::span<const Tensor> images, DType dtype = DType::float32);
// round(255 · clamp(x, 0, 1)), halves to even, NaN to 0: [1,3,H,W] or [3,H,W] -> [H,W,3].
Tensor to_image(const Tensor& x);
std::vector<Tensor> to_images(const Tensor& batch);  // [N,3,H,W] -> N images

// What a batch becomes by being stored: to_images, encode, decode, to_float. [N,3,H,W] of a
// floating dtype in, the same out. Images run in parallel. Not differentiable.
struct CodecResult {
  Tensor images;
  std::vector<std::int64_t> sizes;  // bytes of each file
};
CodecResult codec_roundtrip_with_sizes(const Tensor& batch, ImageFormat format, int quality);
Tensor codec_roundtrip(const Tensor& batch, ImageFormat format, int quality);

}  // namespace mini::io
