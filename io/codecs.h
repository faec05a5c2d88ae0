// A pair of functions for each codec, and the helpers they share; users call io/image.h. All throw
// Error without a prefix: a file that ends too early "is truncated", one that contradicts itself "is
// damaged".
//
// A reader looks at the header, checks what it says against the limit and against the length of the
// file, and only then takes memory. It returns every pixel or throws.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/image.h"
#include "io/metadata.h"
#include "tensor/tensor.h"

namespace mini::io {

// What a reader returns. io/decode.cpp turns it into an image.
struct Decoded {
  Tensor pixels{};    // [H,W,3], or [H,W,4] with alpha, not multiplied in; of more than 8 bits only
                      // where ReadOptions::native asks for them
  bool gray = false;  // all colours are, as the file's mode says
  Metadata metadata{};  // as it stands in the file
  std::vector<std::string> notices{};
};

template <class... Parts>
[[noreturn]] void fail_truncated(const Parts&... parts) {
  fail("the file is truncated: ", parts...);
}
template <class... Parts>
[[noreturn]] void fail_damaged(const Parts&... parts) {
  fail("the file is damaged: ", parts...);
}

// Throws when the sides in a header exceed the limits; called before memory is taken, with the bytes for
// each pixel that will be.
void check_size(std::int64_t width, std::int64_t height, const ReadOptions& options,
                std::int64_t bytes_per_pixel);
// Throws when a file's `has` bytes are fewer than the `needs` bytes that its pixels take at least.
void check_length(std::size_t has, std::int64_t needs);
Tensor allocate_pixels(std::int64_t width, std::int64_t height, int channels);

// What a pixel takes as it is returned, and when its alpha is laid on white.
inline constexpr std::int64_t bytes_of_rgb = 3, bytes_of_rgba = 4 + bytes_of_rgb;

using Rgba = std::array<std::uint8_t, 4>;

struct Palette {
  std::vector<Rgba> colours;
  const Rgba& at(std::size_t index) const {
    if (index >= colours.size()) [[unlikely]]
      fail_damaged("a pixel has colour ", index, " of a palette of ", colours.size());
    return colours[index];
  }
};

// Makes an image opaque whose every alpha is 0: many programs leave 0 in a field they do not use.
void ignore_empty_alpha(const Tensor& rgba);

// Scales a value of 0..max to 0..255, rounded.
constexpr std::uint8_t scaled_to_8_bits(std::uint64_t value, std::uint64_t max) {
  return static_cast<std::uint8_t>((value * 255 + max / 2) / max);
}

// The first bytes of an APP1 segment that holds Exif data.
inline constexpr std::string_view jpeg_exif_name("Exif\0\0", 6);
inline Bytes copy_of(std::span<const std::byte> bytes) { return {bytes.begin(), bytes.end()}; }

bool is_jpeg(std::span<const std::byte> bytes);
Decoded decode_jpeg(std::span<const std::byte> bytes, const ReadOptions& options);
Bytes encode_jpeg(const Tensor& image, const EncodeOptions& options);

bool is_webp(std::span<const std::byte> bytes);
Decoded decode_webp(std::span<const std::byte> bytes, const ReadOptions& options);
// Of the content of the chunk "VP8 ", which is a lossy frame.
int webp_quality(std::span<const std::byte> frame);
Bytes encode_webp(const Tensor& image, const EncodeOptions& options);

bool is_png(std::span<const std::byte> bytes);
Decoded decode_png(std::span<const std::byte> bytes, const ReadOptions& options);
Bytes encode_png(const Tensor& image, const EncodeOptions& options);

bool is_gif(std::span<const std::byte> bytes);
Decoded decode_gif(std::span<const std::byte> bytes, const ReadOptions& options);

bool is_bmp(std::span<const std::byte> bytes);
Decoded decode_bmp(std::span<const std::byte> bytes, const ReadOptions& options);

bool is_pnm(std::span<const std::byte> bytes);
Decoded decode_pnm(std::span<const std::byte> bytes, const ReadOptions& options);

// TGA has no signature: true for a header that makes sense.
bool is_tga(std::span<const std::byte> bytes);
Decoded decode_tga(std::span<const std::byte> bytes, const ReadOptions& options);

}  // namespace mini::io
