// BMP: Windows' headers of 40 to 124 bytes and OS/2's of 12, 16 and 64; 1 to 32 bits a pixel, colour
// masks, RLE4 and RLE8, either row order (Microsoft Learn: "Bitmap Storage", "Bitmap Compression").
// A JPEG or PNG inside, and OS/2's fax and 24-bit codes, are refused by their names.
#include <algorithm>
#include <bit>

#include "io/byte_reader.h"
#include "io/codecs.h"

namespace mini::io {
namespace {

constexpr std::size_t file_header_size = 14;
enum Compression : std::uint32_t { none = 0, rle8 = 1, rle4 = 2, masks = 3, masks_and_alpha = 6 };

// One colour's bits within a pixel.
struct Channel {
  std::uint32_t max = 0;
  int shift = 0;

  explicit Channel(std::uint32_t mask = 0) {
    if (mask == 0) return;
    shift = std::countr_zero(mask);
    max = mask >> shift;
    if ((max & (max + 1)) != 0) fail_damaged("a colour mask has gaps");
  }
  std::uint8_t of(std::uint32_t pixel, std::uint8_t absent) const {
    return max == 0 ? absent : scaled_to_8_bits(pixel >> shift & max, max);
  }
};

struct Header {
  std::uint32_t pixels_at = 0, size = 0;
  std::int64_t width = 0, height = 0;
  bool from_top = false;
  int bits = 0;
  std::uint32_t compression = none, colours = 0;
  Channel red, green, blue, alpha;
  std::size_t palette_at = 0;

  bool old() const { return size == 12; }
  bool indexed() const { return bits <= 8; }
  bool run_length_coded() const { return compression == rle8 || compression == rle4; }
  std::int64_t stride() const { return (width * bits + 31) / 32 * 4; }
};

void check_compression(const Header& header) {
  const bool os2 = header.size == 16 || header.size == 64;
  switch (header.compression) {
    case none:
      return;
    case rle8:
    case rle4:
      if (header.bits != (header.compression == rle8 ? 8 : 4) || header.from_top)
        fail_damaged("run lengths do not go with ", header.bits, " bits a pixel",
                     header.from_top ? " from top to bottom" : "");
      return;
    case masks:
    case masks_and_alpha:
      check(!os2, "mini reads no BMP with fax compression (OS/2's Huffman 1D)");
      if (header.bits != 16 && header.bits != 32)
        fail_damaged("colour masks do not go with ", header.bits, " bits a pixel");
      return;
    case 4:
    case 5:
      if (os2) fail("mini reads no BMP with OS/2's 24-bit run lengths");
      fail("this BMP holds a ", header.compression == 4 ? "JPEG" : "PNG",
           " file, which mini does not look for there");
    default:
      fail_damaged("compression ", header.compression, " is unknown");
  }
}

void read_masks(ByteReader& file, Header& header) {
  if (header.compression == none) {
    const bool five = header.bits == 16;
    header.red = Channel(five ? 0x7c00 : 0xff0000);
    header.green = Channel(five ? 0x3e0 : 0xff00);
    header.blue = Channel(five ? 0x1f : 0xff);
    return;
  }
  // The colour masks stand inside the longer headers, and at the same place behind the 40-byte one.
  file.seek(file_header_size + 40);
  const bool has_alpha = header.compression == masks_and_alpha || header.size >= 56;
  header.red = Channel(file.little<std::uint32_t>());
  header.green = Channel(file.little<std::uint32_t>());
  header.blue = Channel(file.little<std::uint32_t>());
  if (has_alpha) header.alpha = Channel(file.little<std::uint32_t>());
  if (header.size == 40) header.palette_at = file.place();
}

Header read_header(ByteReader& file) {
  Header header;
  file.skip(10);  // "BM", the file's length, which many programs get wrong, and a reserved field
  header.pixels_at = file.little<std::uint32_t>();
  header.size = file.little<std::uint32_t>();
  constexpr std::array<std::uint32_t, 8> sizes = {12, 16, 40, 52, 56, 64, 108, 124};
  if (std::find(sizes.begin(), sizes.end(), header.size) == sizes.end())
    fail_damaged("no BMP has a header of ", header.size, " bytes");
  header.palette_at = file_header_size + header.size;
  if (header.old()) {
    header.width = file.little<std::uint16_t>();
    header.height = file.little<std::uint16_t>();
  } else {
    header.width = static_cast<std::int32_t>(file.little<std::uint32_t>());
    header.height = static_cast<std::int32_t>(file.little<std::uint32_t>());
  }
  header.from_top = header.height < 0;
  header.height = std::abs(header.height);
  const int planes = file.little<std::uint16_t>();
  if (planes != 1) fail_damaged("it has ", planes, " planes, not one");
  header.bits = file.little<std::uint16_t>();
  constexpr std::array<int, 7> depths = {1, 2, 4, 8, 16, 24, 32};
  if (std::find(depths.begin(), depths.end(), header.bits) == depths.end())
    fail_damaged("it has ", header.bits, " bits a pixel");
  if (header.size > 16) {
    header.compression = file.little<std::uint32_t>();
    file.skip(12);  // the length of the pixels, which many programs leave 0, and the resolution
    header.colours = file.little<std::uint32_t>();
  }
  check_compression(header);
  if (!header.indexed()) read_masks(file, header);
  if (header.pixels_at < header.palette_at)
    fail_damaged("the pixels are said to begin at byte ", header.pixels_at, ", within the header");
  return header;
}

Palette read_palette(ByteReader& file, const Header& header) {
  const std::size_t entry = header.old() ? 3 : 4;
  const std::size_t most = std::size_t{1} << header.bits;
  const std::size_t named =
      header.colours == 0 ? most : std::min<std::size_t>(header.colours, most);
  file.seek(header.palette_at);
  Palette palette;
  palette.colours.resize(std::min(named, (header.pixels_at - header.palette_at) / entry));
  for (Rgba& colour : palette.colours) {
    const auto b = file.byte(), g = file.byte(), r = file.byte();
    colour = {r, g, b, 255};
    file.skip(entry - 3);
  }
  return palette;
}

// The address of pixel (x, y), where y counts rows in the order of the file.
class Canvas {
 public:
  Canvas(const Tensor& image, bool from_top)
      : out_(image.data<std::uint8_t>()),
        width_(image.size(1)),
        height_(image.size(0)),
        from_top_(from_top) {}
  void put(std::int64_t x, std::int64_t y, const Rgba& colour) const {
    const std::int64_t row = from_top_ ? y : height_ - 1 - y;
    std::copy_n(colour.data(), 4, out_ + 4 * (row * width_ + x));
  }
  std::int64_t width() const { return width_; }
  std::int64_t height() const { return height_; }

 private:
  std::uint8_t* out_;
  std::int64_t width_, height_;
  bool from_top_;
};

std::uint32_t read_pixel(ByteReader& row, int bits) {
  if (bits == 16) return row.little<std::uint16_t>();
  if (bits == 32) return row.little<std::uint32_t>();
  const std::uint32_t low = row.little<std::uint16_t>();  // 24
  return low | static_cast<std::uint32_t>(row.byte()) << 16;
}

void read_rows(ByteReader& file, const Header& header, const Palette& palette,
               const Canvas& canvas) {
  for (std::int64_t y = 0; y < header.height; ++y) {
    // The last row may lack the bytes that fill it up to a multiple of four.
    const auto length = std::min(static_cast<std::size_t>(header.stride()), file.left());
    ByteReader row(file.take(length));
    std::uint32_t byte = 0;
    for (std::int64_t x = 0; x < header.width; ++x) {
      if (header.indexed()) {
        const int bit = static_cast<int>(x * header.bits % 8);
        if (bit == 0) byte = row.byte();
        const std::uint32_t index = byte >> (8 - header.bits - bit) & ((1U << header.bits) - 1);
        canvas.put(x, y, palette.at(index));
      } else {
        const std::uint32_t pixel = read_pixel(row, header.bits);
        canvas.put(x, y,
                   {header.red.of(pixel, 0), header.green.of(pixel, 0), header.blue.of(pixel, 0),
                    header.alpha.of(pixel, 255)});
      }
    }
  }
}

// Pixels that the runs skip keep the palette's first colour.
void read_runs(ByteReader& file, const Header& header, const Palette& palette,
               const Canvas& canvas) {
  for (std::int64_t y = 0; y < canvas.height(); ++y)
    for (std::int64_t x = 0; x < canvas.width(); ++x) canvas.put(x, y, palette.at(0));
  std::int64_t x = 0, y = 0;
  const auto put = [&](std::size_t index) {
    if (x >= canvas.width() || y >= canvas.height())
      fail_damaged("a run of pixels goes on after the end of its row");
    canvas.put(x++, y, palette.at(index));
  };
  const int per_byte = 8 / header.bits;
  const auto nibble = [&](std::uint8_t byte, int i) -> std::size_t {
    if (per_byte == 1) return byte;
    return i % 2 == 0 ? byte >> 4 : byte & 15;
  };
  const auto complete = [&] {
    return y >= canvas.height() || (y == canvas.height() - 1 && x == canvas.width());
  };
  for (;;) {
    if (file.left() == 0 && complete()) return;  // only the end mark is missing
    const int count = file.byte();
    const std::uint8_t second = file.byte();
    if (count > 0) {
      for (int i = 0; i < count; ++i) put(nibble(second, i));
    } else if (second == 0) {  // end of the row
      x = 0;
      ++y;
    } else if (second == 1) {  // end of the image
      return;
    } else if (second == 2) {  // go right and on
      x += file.byte();
      y += file.byte();
    } else {  // that many single pixels follow, padded to an even number of bytes
      const int bytes = (second + per_byte - 1) / per_byte;
      std::uint8_t byte = 0;
      for (int i = 0; i < second; ++i) {
        if (i % per_byte == 0) byte = file.byte();
        put(nibble(byte, i));
      }
      if (bytes % 2 == 1 && file.left() > 0) file.skip(1);
    }
  }
}

}  // namespace

// A text may begin with "BM" too; its next letters would then give an impossible header length.
bool is_bmp(std::span<const std::byte> bytes) {
  return as_text(bytes).starts_with("BM") &&
         (bytes.size() < 18 || as_text(bytes).substr(15, 3) == std::string_view("\0\0\0", 3));
}

Decoded decode_bmp(std::span<const std::byte> bytes, const ReadOptions& options) {
  ByteReader file(bytes);
  const Header header = read_header(file);
  check_size(header.width, header.height, options, bytes_of_rgba);
  Palette palette;
  if (header.indexed()) {
    palette = read_palette(file, header);
    if (palette.colours.empty()) fail_damaged("it has no palette");
  }
  file.seek(header.pixels_at);
  const std::int64_t needs =
      header.run_length_coded()
          ? header.width * header.height / 255 * 2  // two bytes make at most 255 pixels
          : header.stride() * (header.height - 1) + (header.width * header.bits + 7) / 8;
  check_length(file.left(), needs);
  const Tensor image = allocate_pixels(header.width, header.height, 4);
  const Canvas canvas(image, header.from_top);
  if (header.run_length_coded())
    read_runs(file, header, palette, canvas);
  else
    read_rows(file, header, palette, canvas);
  if (header.alpha.max != 0) ignore_empty_alpha(image);
  return {.pixels = image};
}

}  // namespace mini::io
