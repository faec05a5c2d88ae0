// From a file to an image: finds the reader by the first bytes, names foreign formats in the error, and
// does the two last steps that all formats share: lays alpha on white and turns the image upright.
#include <algorithm>

#include "io/byte_reader.h"
#include "io/codecs.h"
#include "io/image.h"
#include "io/modes.h"

namespace mini::io {
namespace {

struct Reader {
  const char* name;
  bool (*reads)(std::span<const std::byte>);
  Decoded (*decode)(std::span<const std::byte>, const ReadOptions&);
};
constexpr Reader readers[] = {
    {"JPEG", is_jpeg, decode_jpeg}, {"PNG", is_png, decode_png}, {"WebP", is_webp, decode_webp},
    {"GIF", is_gif, decode_gif},    {"BMP", is_bmp, decode_bmp}, {"PNM", is_pnm, decode_pnm},
    {"TGA", is_tga, decode_tga},  // last, for it has no signature
};

// Foreign formats that the error names, recognised by their bytes at offset `at`.
struct Foreign {
  const char* name;
  std::size_t at;
  std::string_view signature;
};
constexpr Foreign foreign[] = {
    {"a PSD file", 0, "8BPS"},
    {"a TIFF file", 0, std::string_view("II*\0", 4)},
    {"a TIFF file", 0, std::string_view("MM\0*", 4)},
    {"a PAM file", 0, "P7\n"},
    {"an AVIF file", 4, "ftypavif"},
    {"a HEIF file", 4, "ftypheic"},
    {"a HEIF file", 4, "ftypmif1"},
    {"a JPEG XL file", 0, "\xff\x0a"},
    {"a JPEG 2000 file", 4, "jP  "},
};

// The bytes in quotes, with control characters escaped for the terminal.
std::string quoted(std::span<const std::byte> bytes) {
  constexpr char digits[] = "0123456789abcdef";
  std::string text = "'";
  for (const std::byte byte : bytes) {
    const auto c = std::to_integer<unsigned>(byte);
    if (c >= 0x20 && c < 0x7f)
      text += static_cast<char>(c);
    else
      (text += "\\x") += {digits[c >> 4], digits[c & 15]};
  }
  return text + "'";
}

[[noreturn]] void fail_unread(std::span<const std::byte> bytes) {
  check(!bytes.empty(), "the file is empty");
  const std::string_view text = as_text(bytes);
  for (const Foreign& kind : foreign)
    check(text.size() < kind.at || !text.substr(kind.at).starts_with(kind.signature), "this is ",
          kind.name, ", which mini does not read; convert it to PNG");
  check(!text.starts_with("version https://git-lfs"),
        "this is Git LFS's pointer to a file; fetch the file itself with git lfs pull");
  fail("the file is no image: it begins with ",
       quoted(bytes.first(std::min<std::size_t>(bytes.size(), 16))));
}

// EXIF's orientation says where the stored first row and first column are seen.
Tensor upright(const Tensor& stored, int orientation) {
  if (orientation == 1) return stored;
  const std::int64_t height = stored.size(0), width = stored.size(1);
  const bool swaps = orientation >= 5;  // rows are seen as columns
  const bool from_bottom =
      orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  const bool from_right =
      orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const Tensor seen = Tensor::empty(
      {swaps ? width : height, swaps ? height : width, stored.size(2)}, stored.dtype());
  const std::int64_t pixel = static_cast<std::int64_t>(stored.bytes()) / (width * height);
  std::byte* out = seen.raw_data();
  for (std::int64_t y = 0; y < seen.size(0); ++y)
    for (std::int64_t x = 0; x < seen.size(1); ++x, out += pixel) {
      const std::int64_t row = swaps ? x : y, column = swaps ? y : x;
      const std::int64_t from = (from_bottom ? height - 1 - row : row) * width +
                                (from_right ? width - 1 - column : column);
      std::copy_n(stored.raw_data() + pixel * from, pixel, out);
    }
  return seen;
}

// Without what the file's mode does not have.
Tensor native(const Decoded& decoded) {
  Tensor pixels = decoded.pixels;
  if (has_alpha(pixels) && is_opaque(pixels)) pixels = first_channels(pixels, 3);
  return decoded.gray ? to_gray(pixels) : pixels;
}

}  // namespace

void check_size(std::int64_t width, std::int64_t height, const ReadOptions& options,
                std::int64_t bytes_per_pixel) {
  if (width <= 0 || height <= 0) fail_damaged("its size is ", width, "x", height);
  check(width <= options.max_pixels / height, "an image of ", width, "x", height,
        " pixels is too large (at most ", options.max_pixels,
        " pixels are allowed here: max_pixels)");
  constexpr std::int64_t million = 1'000'000;
  check(width <= options.max_bytes / bytes_per_pixel / height, "an image of ", width, "x", height,
        " pixels takes ", width * height / million * bytes_per_pixel + 1,
        "M of memory to read, and the memory limit leaves ", options.max_bytes / million, "M");
}

void check_length(std::size_t has, std::int64_t needs) {
  if (static_cast<std::int64_t>(has) < needs)
    fail_truncated("the pixels take at least ", needs, " bytes, it has ", has);
}

Tensor allocate_pixels(std::int64_t width, std::int64_t height, int channels) {
  return Tensor::empty({height, width, channels}, DType::uint8);
}

void ignore_empty_alpha(const Tensor& rgba) {
  auto* const pixels = rgba.data<std::uint8_t>();
  for (std::int64_t i = 3; i < rgba.numel(); i += 4)
    if (pixels[i] != 0) return;
  for (std::int64_t i = 3; i < rgba.numel(); i += 4) pixels[i] = 255;
}

Tensor decode(std::span<const std::byte> bytes, const ReadOptions& options) {
  const auto reader = std::find_if(std::begin(readers), std::end(readers),
                                   [&](const Reader& each) { return each.reads(bytes); });
  try {
    if (reader == std::end(readers)) fail_unread(bytes);
  } catch (const Error& error) {
    fail("decode: ", error.what());
  }
  try {
    Decoded decoded = reader->decode(bytes, options);
    if (options.notices != nullptr)
      for (const std::string& notice : decoded.notices) options.notices->push_back(notice);
    decoded.pixels = options.native ? native(decoded) : to_8_bits(on_white(decoded.pixels));
    const int orientation = exif_orientation(decoded.metadata.exif);
    if (orientation != 1)
      check_size(decoded.pixels.size(1), decoded.pixels.size(0), options,
                 2 * decoded.pixels.size(2) * std::int64_t(element_size(decoded.pixels.dtype())));
    if (options.metadata != nullptr) {
      clear_exif_orientation(decoded.metadata.exif);
      if (!is_note(decoded.metadata.note)) decoded.metadata.note.clear();
      *options.metadata = std::move(decoded.metadata);
    }
    return upright(decoded.pixels, orientation);
  } catch (const Error& error) {
    fail("decode: ", reader->name, ": ", error.what());
  }
}

}  // namespace mini::io
