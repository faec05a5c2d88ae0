// Image files made by hand, byte for byte: what no library would write.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "io/file.h"

namespace mini::test {

// A file put together from its parts.
class FileBytes {
 public:
  FileBytes& text(std::string_view part) { return raw(io::as_bytes(part)); }
  FileBytes& raw(std::span<const std::byte> part) {
    bytes_.insert(bytes_.end(), part.begin(), part.end());
    return *this;
  }
  FileBytes& list(const std::vector<int>& values) {
    for (const int value : values) bytes_.push_back(static_cast<std::byte>(value));
    return *this;
  }
  FileBytes& little(std::uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) bytes_.push_back(static_cast<std::byte>(value >> (8 * i)));
    return *this;
  }
  FileBytes& big(std::uint64_t value, int bytes) {
    for (int i = bytes; i-- > 0;) bytes_.push_back(static_cast<std::byte>(value >> (8 * i)));
    return *this;
  }
  const io::Bytes& bytes() const { return bytes_; }
  operator const io::Bytes&() const { return bytes_; }
  operator std::span<const std::byte>() const { return bytes_; }
  std::size_t size() const { return bytes_.size(); }

 private:
  io::Bytes bytes_;
};

// --- PNG ---

inline std::uint32_t crc_of(std::span<const std::byte> bytes) {
  std::uint32_t crc = 0xffffffff;
  for (const std::byte byte : bytes) {
    crc ^= std::to_integer<std::uint32_t>(byte);
    for (int i = 0; i < 8; ++i) crc = crc >> 1 ^ ((crc & 1) != 0 ? 0xedb88320 : 0);
  }
  return ~crc;
}

inline FileBytes png_chunk(std::string_view name, std::span<const std::byte> content) {
  FileBytes named;
  named.text(name).raw(content);
  FileBytes chunk;
  chunk.big(content.size(), 4).raw(named.bytes()).big(crc_of(named.bytes()), 4);
  return chunk;
}

// A zlib stream that stores what it is given, at most 65535 bytes.
inline FileBytes zlib_stored(std::span<const std::byte> content) {
  std::uint32_t a = 1, b = 0;
  for (const std::byte byte : content) {
    a = (a + std::to_integer<std::uint32_t>(byte)) % 65521;
    b = (b + a) % 65521;
  }
  FileBytes stream;
  stream.list({0x78, 1, 1}).little(content.size(), 2).little(content.size() ^ 0xffff, 2);
  return stream.raw(content).big(b << 16 | a, 4);
}

inline constexpr std::string_view png_signature = "\x89PNG\r\n\x1a\n";

// `rows` with the filter's byte before each; `extra` are whole chunks before the pixels.
inline FileBytes png_file(int width, int height, int depth, int colour_type,
                          std::span<const std::byte> rows, std::span<const std::byte> extra = {}) {
  FileBytes header;
  header.big(static_cast<std::uint64_t>(width), 4).big(static_cast<std::uint64_t>(height), 4);
  header.list({depth, colour_type, 0, 0, 0});
  FileBytes file;
  file.text(png_signature).raw(png_chunk("IHDR", header.bytes()).bytes()).raw(extra);
  file.raw(png_chunk("IDAT", zlib_stored(rows).bytes()).bytes());
  return file.raw(png_chunk("IEND", {}).bytes());
}

// --- BMP ---

struct BmpParts {
  int header = 40, width = 2, height = 2, bits = 24, compression = 0, colours = 0;
  std::vector<std::uint32_t> masks{};
  std::vector<int> palette{};  // bytes
  int gap = 0;                 // before the pixels
  std::vector<int> pixels{};   // bytes
};

inline FileBytes bmp_file(const BmpParts& parts) {
  FileBytes info;
  info.little(static_cast<std::uint64_t>(parts.header), 4);
  const int number = parts.header == 12 ? 2 : 4;
  info.little(static_cast<std::uint64_t>(std::int64_t{parts.width}), number)
      .little(static_cast<std::uint64_t>(std::int64_t{parts.height}), number);
  info.little(1, 2).little(static_cast<std::uint64_t>(parts.bits), 2);
  if (parts.header > 16) {
    info.little(static_cast<std::uint64_t>(parts.compression), 4).little(0, 4).little(0, 8);
    info.little(static_cast<std::uint64_t>(parts.colours), 4).little(0, 4);
  }
  for (const std::uint32_t mask : parts.masks) info.little(mask, 4);
  while (info.size() < static_cast<std::size_t>(parts.header)) info.little(0, 1);
  info.list(parts.palette);
  for (int i = 0; i < parts.gap; ++i) info.little(0xee, 1);
  FileBytes file;
  file.text("BM").little(14 + info.size() + parts.pixels.size(), 4).little(0, 4);
  file.little(14 + info.size(), 4).raw(info.bytes()).list(parts.pixels);
  return file;
}

// --- TGA ---

struct TgaParts {
  int type = 2, width = 2, height = 2, bits = 24, descriptor = 0;
  int map_first = 0, map_length = 0, map_bits = 0;
  std::vector<int> content{};  // palette and pixels
};

inline FileBytes tga_file(const TgaParts& parts) {
  const auto number = [](int value) { return static_cast<std::uint64_t>(value); };
  FileBytes file;
  file.list({0, parts.map_length > 0 ? 1 : 0, parts.type});
  file.little(number(parts.map_first), 2).little(number(parts.map_length), 2);
  file.list({parts.map_bits}).little(0, 4);
  file.little(number(parts.width), 2).little(number(parts.height), 2);
  file.list({parts.bits, parts.descriptor}).list(parts.content);
  return file;
}

// --- GIF ---

// Codes of `bits` + 1 bits, each a colour of its own: a clear code comes before the table would grow
// beyond them.
inline std::vector<int> gif_codes(const std::vector<int>& indices, int bits) {
  const int clear = 1 << bits;
  std::vector<int> codes;
  for (std::size_t i = 0; i < indices.size(); ++i) {
    if (i % static_cast<std::size_t>(clear - 2) == 0) codes.push_back(clear);
    codes.push_back(indices[i]);
  }
  codes.push_back(clear + 1);
  return codes;
}

inline std::vector<int> pack_gif_codes(const std::vector<int>& codes, int width) {
  std::vector<int> bytes;
  std::uint32_t held = 0;
  int count = 0;
  for (const int code : codes) {
    held |= static_cast<std::uint32_t>(code) << count;
    for (count += width; count >= 8; count -= 8, held >>= 8)
      bytes.push_back(static_cast<int>(held & 255));
  }
  if (count > 0) bytes.push_back(static_cast<int>(held & 255));
  return bytes;
}

struct GifParts {
  int screen_width = 2, screen_height = 2;
  int left = 0, top = 0, width = 2, height = 2;
  bool interlaced = false;
  int transparent = -1;
  std::vector<int> palette = {255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9};  // of four colours
  std::vector<int> data{};  // the codes, packed, below 256 bytes
  int frames = 1;
  bool trailer = true;
};

inline FileBytes gif_file(const GifParts& parts) {
  const auto number = [](int value) { return static_cast<std::uint64_t>(value); };
  FileBytes file;
  file.text("GIF89a").little(number(parts.screen_width), 2).little(number(parts.screen_height), 2);
  file.list({0x81, 0, 0}).list(parts.palette);
  for (int frame = 0; frame < parts.frames; ++frame) {
    if (parts.transparent >= 0) file.list({0x21, 0xf9, 4, 1, 0, 0, parts.transparent, 0});
    file.list({0x2c}).little(number(parts.left), 2).little(number(parts.top), 2);
    file.little(number(parts.width), 2).little(number(parts.height), 2);
    file.list({parts.interlaced ? 0x40 : 0, 2, static_cast<int>(parts.data.size())});
    file.list(parts.data).list({0});
  }
  if (parts.trailer) file.list({0x3b});
  return file;
}

// --- EXIF ---

inline FileBytes exif_data(int orientation, bool big_endian = false) {
  FileBytes tiff;
  const auto put = [&](std::uint64_t value, int bytes) {
    big_endian ? tiff.big(value, bytes) : tiff.little(value, bytes);
  };
  tiff.text(big_endian ? "MM" : "II");
  put(42, 2);
  put(8, 4);
  put(1, 2);
  put(0x0112, 2);
  put(3, 2);
  put(1, 4);
  put(static_cast<std::uint64_t>(orientation), 2);
  put(0, 2);
  put(0, 4);
  return tiff;
}

}  // namespace mini::test
