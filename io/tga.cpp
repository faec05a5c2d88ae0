// TGA: Truevision TGA File Format Specification 2.0. Palettes, grey and true colour, as they are or
// run-length coded, from any corner. The footer and what it points to are ignored.
#include <algorithm>
#include <functional>

#include "io/byte_reader.h"
#include "io/codecs.h"

namespace mini::io {
namespace {

constexpr std::size_t header_size = 18;
enum Kind { palette = 1, true_colour = 2, grey = 3 };

struct Header {
  int id_length, map_type, type, map_first, map_length, map_bits, width, height, bits, descriptor;

  int kind() const { return type & 7; }
  bool run_length_coded() const { return (type & 8) != 0; }
  bool has_alpha() const { return (descriptor & 15) != 0; }
  bool from_right() const { return (descriptor & 16) != 0; }
  bool from_top() const { return (descriptor & 32) != 0; }
  std::int64_t pixels() const { return std::int64_t{width} * height; }
};

bool is_colour_depth(int bits) { return bits == 15 || bits == 16 || bits == 24 || bits == 32; }
int bytes_of(int bits) { return (bits + 7) / 8; }

Header read_header(ByteReader& file) {
  Header header{};
  header.id_length = file.byte();
  header.map_type = file.byte();
  header.type = file.byte();
  header.map_first = file.little<std::uint16_t>();
  header.map_length = file.little<std::uint16_t>();
  header.map_bits = file.byte();
  file.skip(4);  // the position on a screen
  header.width = file.little<std::uint16_t>();
  header.height = file.little<std::uint16_t>();
  header.bits = file.byte();
  header.descriptor = file.byte();
  return header;
}

bool makes_sense(const Header& header) {
  if ((header.type & ~15) != 0 || header.map_type > 1 || header.pixels() == 0) return false;
  if (header.map_type == 1 && !is_colour_depth(header.map_bits)) return false;
  if ((header.descriptor & 0xc0) != 0)
    return false;  // interleaved rows, which no known program writes
  switch (header.kind()) {
    case palette:
      return header.map_type == 1 && header.bits == 8;
    case true_colour:
      return is_colour_depth(header.bits);
    case grey:
      return header.bits == 8 || header.bits == 16;
    default:
      return false;
  }
}

// BGR, BGRA, or five bits a colour and one bit that is ignored: some programs set it where a pixel is
// opaque, others where it is transparent.
Rgba read_colour(ByteReader& file, int bits, bool has_alpha) {
  if (bits <= 16) {
    const std::uint32_t value = file.little<std::uint16_t>();
    const auto five = [&](int shift) { return scaled_to_8_bits(value >> shift & 31, 31); };
    return {five(10), five(5), five(0), 255};
  }
  const auto b = file.byte(), g = file.byte(), r = file.byte();
  const std::uint8_t a = bits == 32 ? file.byte() : 255;
  return {r, g, b, has_alpha ? a : std::uint8_t{255}};
}

Palette read_palette(ByteReader& file, const Header& header) {
  Palette result;
  if (header.map_type == 0) return result;
  check_length(file.left(), std::int64_t{header.map_length} * bytes_of(header.map_bits));
  for (int i = 0; i < header.map_length; ++i)
    result.colours.push_back(read_colour(file, header.map_bits, header.has_alpha()));
  return result;
}

Rgba read_pixel(ByteReader& file, const Header& header, const Palette& colours) {
  if (header.kind() == true_colour) return read_colour(file, header.bits, header.has_alpha());
  const std::uint8_t value = file.byte();
  if (header.kind() == palette) {
    if (value < header.map_first)
      fail_damaged("a pixel has colour ", int{value}, ", the palette begins with ",
                   header.map_first);
    return colours.at(static_cast<std::size_t>(value - header.map_first));
  }
  const std::uint8_t a = header.bits == 16 ? file.byte() : 255;
  return {value, value, value, header.has_alpha() ? a : std::uint8_t{255}};
}

// Calls `put` with each pixel in the order of the file.
void read_pixels(ByteReader& file, const Header& header, const Palette& colours,
                 const std::function<void(const Rgba&)>& put) {
  std::int64_t left = header.pixels();
  while (left > 0) {
    // An image without run lengths is one packet of single pixels.
    std::int64_t count = left;
    bool run = false;
    if (header.run_length_coded()) {
      const std::uint8_t packet = file.byte();
      run = (packet & 128) != 0;
      count = (packet & 127) + 1;
      if (count > left) fail_damaged("a run of pixels goes on after the last");
    }
    Rgba pixel{};
    for (std::int64_t i = 0; i < count; ++i) {
      if (i == 0 || !run) pixel = read_pixel(file, header, colours);
      put(pixel);
    }
    left -= count;
  }
}

}  // namespace

bool is_tga(std::span<const std::byte> bytes) {
  if (bytes.size() < header_size) return false;
  ByteReader file(bytes);
  return makes_sense(read_header(file));
}

Decoded decode_tga(std::span<const std::byte> bytes, const ReadOptions& options) {
  ByteReader file(bytes);
  const Header header = read_header(file);
  if (!makes_sense(header)) fail_damaged("its header makes no sense");
  check_size(header.width, header.height, options, bytes_of_rgba);
  file.skip(static_cast<std::size_t>(header.id_length));
  const Palette colours = read_palette(file, header);
  const std::int64_t pixel = bytes_of(header.bits);
  const std::int64_t needs = header.run_length_coded()
                                 ? (header.pixels() + 127) / 128 * (1 + pixel)  // runs of 128
                                 : header.pixels() * pixel;
  check_length(file.left(), needs);
  const Tensor image = allocate_pixels(header.width, header.height, 4);
  const std::int64_t width = header.width, height = header.height;
  std::int64_t x = 0, y = 0;
  read_pixels(file, header, colours, [&](const Rgba& colour) {
    const std::int64_t row = header.from_top() ? y : height - 1 - y;
    const std::int64_t column = header.from_right() ? width - 1 - x : x;
    std::copy_n(colour.data(), 4, image.data<std::uint8_t>() + 4 * (row * width + column));
    if (++x == width) {
      x = 0;
      ++y;
    }
  });
  if (header.has_alpha()) ignore_empty_alpha(image);
  return {.pixels = image, .gray = header.kind() == grey};
}

}  // namespace mini::io
