// PBM, PGM and PPM, as text (P1 to P3) and binary (P4 to P6): netpbm's manual pages pbm(5), pgm(5) and
// ppm(5). Values from 0 to any maximum up to 65535 are scaled to 0..255 and rounded.
#include "io/byte_reader.h"
#include "io/codecs.h"

namespace mini::io {
namespace {

bool is_space(std::uint8_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool is_digit(std::uint8_t c) { return c >= '0' && c <= '9'; }

struct Header {
  int kind;  // 1 to 6
  std::int64_t width, height;
  std::uint32_t max;
  bool text() const { return kind <= 3; }
  bool bits() const { return kind == 1 || kind == 4; }
  int channels() const { return kind % 3 == 0 ? 3 : 1; }
};

// Skips spaces and comments and returns the first byte after them.
std::uint8_t next_visible(ByteReader& file) {
  std::uint8_t c = file.byte();
  while (is_space(c) || c == '#') {
    if (c == '#')
      while (c != '\n' && c != '\r') c = file.byte();
    else
      c = file.byte();
  }
  return c;
}

// Reads a number and the one byte after it, if there is one.
std::uint32_t next_number(ByteReader& file) {
  std::uint8_t c = next_visible(file);
  std::uint32_t value = 0;
  for (;;) {
    if (!is_digit(c)) fail_damaged("a number was expected at byte ", file.place() - 1);
    value = 10 * value + (c - '0');
    if (value > 99'999'999) fail_damaged("the number at byte ", file.place() - 1, " is too large");
    if (file.left() == 0) return value;
    c = file.byte();
    if (is_space(c)) return value;
    if (c == '#') {
      while (file.left() > 0 && c != '\n' && c != '\r') c = file.byte();
      return value;
    }
  }
}

Header read_header(ByteReader& file) {
  file.skip(1);  // P
  Header header{.kind = file.byte() - '0', .width = 0, .height = 0, .max = 1};
  header.width = next_number(file);
  header.height = next_number(file);
  if (!header.bits()) header.max = next_number(file);
  if (header.max < 1 || header.max > 65535)
    fail_damaged("the largest value is ", header.max, ", not 1 to 65535");
  return header;
}

// The fewest bytes that can hold the pixels.
std::int64_t least_length(const Header& header) {
  const std::int64_t row = header.width * header.channels();
  if (header.kind == 1) return row * header.height;
  if (header.text()) return 2 * row * header.height - 1;  // a digit each, spaces between
  if (header.kind == 4) return (row + 7) / 8 * header.height;
  return row * header.height * (header.max > 255 ? 2 : 1);
}

// The values in their order, each 0..max.
class Values {
 public:
  Values(ByteReader& file, const Header& header) : file_(file), header_(header) {}

  std::uint32_t next(std::int64_t column) {
    if (header_.kind == 4) {  // rows begin with a byte, 1 is black
      if (column % 8 == 0) byte_ = file_.byte();
      return (byte_ >> (7 - column % 8) & 1) ^ 1;
    }
    if (header_.kind == 1) {
      const std::uint8_t c = next_visible(file_);
      if (c != '0' && c != '1') fail_damaged("neither 0 nor 1 at byte ", file_.place() - 1);
      return c == '0' ? 1 : 0;
    }
    std::uint32_t value = 0;
    if (header_.text())
      value = next_number(file_);
    else if (header_.max > 255)
      value = file_.big<std::uint16_t>();
    else
      value = file_.byte();
    if (value > header_.max)
      fail_damaged("a value of ", value, " where ", header_.max, " is the largest");
    return value;
  }

 private:
  ByteReader& file_;
  const Header& header_;
  std::uint8_t byte_ = 0;
};

}  // namespace

bool is_pnm(std::span<const std::byte> bytes) {
  if (bytes.size() < 3) return false;
  const auto at = [&](std::size_t i) { return std::to_integer<std::uint8_t>(bytes[i]); };
  return at(0) == 'P' && at(1) >= '1' && at(1) <= '6' && (is_space(at(2)) || at(2) == '#');
}

Decoded decode_pnm(std::span<const std::byte> bytes, const ReadOptions& options) {
  ByteReader file(bytes);
  const Header header = read_header(file);
  check_size(header.width, header.height, options, bytes_of_rgb);
  check_length(file.left(), least_length(header));
  const Tensor image = allocate_pixels(header.width, header.height, 3);
  auto* out = image.data<std::uint8_t>();
  Values values(file, header);
  for (std::int64_t y = 0; y < header.height; ++y)
    for (std::int64_t x = 0; x < header.width; ++x, out += 3) {
      out[0] = scaled_to_8_bits(values.next(x), header.max);
      for (int c = 1; c < 3; ++c)
        out[c] = header.channels() == 1 ? out[0] : scaled_to_8_bits(values.next(x), header.max);
    }
  return {.pixels = image, .gray = header.channels() == 1};
}

}  // namespace mini::io
