// Images in memory and in files. An image is a uint8 Tensor [H,W,3], RGB, row-major.
//
// JPEG goes through libjpeg-turbo and WebP through libwebp. Unless EncodeOptions says otherwise they are
// used as Pillow uses them, so that file sizes and decoded pixels are those of the published
// evaluations: JPEG baseline, 4:2:0, standard Huffman tables, accurate integer DCT (ISO/IEC 10918-1,
// JFIF); WebP lossy, method 4 (RFC 9649). PNG goes through libpng; GIF, BMP, PNM and TGA through readers in this folder.
//
// Decoding ends in upright 8-bit RGB, unless ReadOptions asks for the picture's own mode: gray is repeated, palettes are looked up, wider and
// narrower values are scaled to 0..255 and rounded, CMYK is multiplied out, transparent pixels are laid
// on white, and EXIF's orientation is carried out (JPEG, PNG, WebP). Values are taken as sRGB: colour
// profiles are handed on (io/metadata.h) but not applied; PNG's gamma is ignored, which a notice tells
// where it is another.
//
// A file comes out with all its pixels, or an Error says that it is truncated or damaged. What is
// missing or left over beside the pixels (an end mark, stray bytes) is told in a notice. Animations
// (GIF, WebP, PNG of several frames) are refused.
//
// Read next: io/decode.cpp (which reader a file goes to), io/bmp.cpp (a reader), io/guarded_call.h (how
// C's error handling is made safe), then train/ for who calls this.
#pragma once

#include <concepts>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/file.h"
#include "io/metadata.h"
#include "tensor/tensor.h"

namespace mini::io {

// Throws, in the name of `op`, when the tensor is not an image or has no pixels.
void check_image(const Tensor& image, const char* op);

enum class ImageFormat { jpeg, webp, png };

// "jpeg" (jpg, jpe, jfif), "webp", "png", in any case; anything else is an Error that lists these.
ImageFormat parse_image_format(std::string_view text);
std::string_view name_of(ImageFormat format);

// The longest sides that the formats can store.
inline constexpr std::int64_t max_jpeg_side = 65500;  // libjpeg's
inline constexpr std::int64_t max_webp_side = 16383;
inline constexpr std::int64_t max_png_side = (std::int64_t{1} << 31) - 1;
// What else a JPEG can store, in bytes.
inline constexpr std::size_t max_jpeg_exif = 65527;
inline constexpr std::size_t max_jpeg_profile = 255 * 65519;
// Throws when the format cannot store an image of that size. Call it before computing the image.
void check_encodable(std::int64_t width, std::int64_t height, ImageFormat format);

// PNG's compression level: high makes small files, low makes them quickly.
inline constexpr int default_png_level = 6;

// How many pixels share their colour differences in a JPEG: none, two in a row, a square of four.
enum class Subsampling { s444, s422, s420 };

struct EncodeOptions {
  int quality = 95;  // JPEG and lossy WebP, 1 to 100
  // JPEG. Optimised Huffman tables and progressive scans make files smaller, and no pixel changes.
  Subsampling subsampling = Subsampling::s420;
  bool optimise = false;
  bool progressive = false;
  // WebP. Methods 0 (fast) to 6 (small).
  int webp_method = 4;
  bool lossless = false;
  int png_level = default_png_level;   // 0 to 9
  const Metadata* metadata = nullptr;  // stored beside the pixels
};
// Throws when a value is out of its range.
void check_options(const EncodeOptions& options);

// The image may be a picture of another mode (io/modes.h): PNG stores all (float32 as 16 bits), WebP all of 8
// bits, and JPEG those without alpha.
Bytes encode(const Tensor& image, ImageFormat format, const EncodeOptions& options);
// A template, so that {} means EncodeOptions and no quality.
Bytes encode(const Tensor& image, ImageFormat format, std::same_as<int> auto quality) {
  return encode(image, format, EncodeOptions{.quality = quality});
}

// The file of the highest quality that takes at most `bytes`. Throws where quality 1 takes more; the
// message says how many bytes that are. For JPEG and lossy WebP.
struct FittedFile {
  Bytes bytes;
  int quality;
};
FittedFile encode_to_size(const Tensor& image, ImageFormat format, std::int64_t bytes,
                          EncodeOptions options = {});

inline constexpr std::int64_t any_size = std::numeric_limits<std::int64_t>::max();
inline constexpr std::int64_t default_max_pixels = 256'000'000;

struct ReadOptions {
  // Larger images are refused before memory is taken: a file of some bytes can claim any size.
  std::int64_t max_pixels = default_max_pixels;
  // So are files for whose pixels reading would take more memory than this.
  std::int64_t max_bytes = any_size;
  // Receives a line for each oddity of a file whose pixels are all there.
  std::vector<std::string>* notices = nullptr;
  // Receives what the file holds beside the pixels.
  Metadata* metadata = nullptr;
  // The picture in its own mode (io/modes.h) instead of 8-bit RGB: gray stays gray, 16 bits of a PNG come
  // as float32, and alpha is kept unless all of it is opaque.
  bool native = false;
};

// The format is recognised by content.
Tensor decode(std::span<const std::byte> bytes, const ReadOptions& options = {});

// Decodes several files in parallel; the results keep their order.
std::vector<Bytes> encode_batch(std::span<const Tensor> images, ImageFormat format, int quality);
std::vector<Tensor> decode_batch(std::span<const Bytes> files);

// Errors name the path.
Tensor read_image(const std::filesystem::path& path, const ReadOptions& options = {});
// Whether the name ends as those of images do that mini reads (".jpg", ".PNG"), and is not hidden: a
// name that begins with a dot, like the "._photo.png" that macOS leaves beside its files.
bool has_image_name(const std::filesystem::path& path);
// The extension (.jpg, .webp, .png and variants) says the format; an old file is replaced atomically.
void write_image(const std::filesystem::path& path, const Tensor& image,
                 const EncodeOptions& options = {});

// value / 255: [H,W,3] -> [1,3,H,W], or N images of one size -> [N,3,H,W]. Any floating dtype.
Tensor to_float(const Tensor& image, DType dtype = DType::float32);
Tensor to_float(std::span<const Tensor> images, DType dtype = DType::float32);
// round(255 · clamp(x, 0, 1)), halves to even, NaN to 0: [1,3,H,W] or [3,H,W] -> [H,W,3].
Tensor to_image(const Tensor& x);
std::vector<Tensor> to_images(const Tensor& batch);  // [N,3,H,W] -> N images

// A batch as it comes back from files: to_images, encode, decode, to_float. [N,3,H,W] of a floating
// dtype in and out. Images run in parallel. `qualities` has one entry for all images or one for each.
// Not differentiable.
struct CodecResult {
  Tensor images;
  std::vector<std::int64_t> sizes;  // bytes of each file
};
CodecResult codec_roundtrip_with_sizes(const Tensor& batch, ImageFormat format,
                                       std::span<const int> qualities);
CodecResult codec_roundtrip_with_sizes(const Tensor& batch, ImageFormat format, int quality);
Tensor codec_roundtrip(const Tensor& batch, ImageFormat format, std::span<const int> qualities);
Tensor codec_roundtrip(const Tensor& batch, ImageFormat format, int quality);

}  // namespace mini::io
