// PNG by libpng, row by row.
//
// libpng goes on after many kinds of damage with a warning. Here every warning is an Error unless it
// is harmless, and so is every wrong checksum. libpng gets only the chunks that make pixels;
// outline_of() looks at the others.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <png.h>

#include "io/byte_reader.h"
#include "io/codecs.h"
#include "io/guarded_call.h"

namespace mini::io {
namespace {

constexpr std::string_view signature = "\x89PNG\r\n\x1a\n";
constexpr std::string_view end_chunk("\0\0\0\0IEND\xae\x42\x60\x82", 12);
constexpr std::int64_t best_ratio = 1032;  // of deflate

// What a walk over the chunks' lengths and names finds.
struct Outline {
  std::int64_t data = 0;   // bytes of IDAT
  bool ends = false;       // has IEND
  std::size_t length = 0;  // up to the end of the last whole chunk
  std::uint32_t frames = 1;
  std::uint32_t gamma = 0;  // times 100000; 0 where the file gives none or has a colour profile
  std::span<const std::byte> exif{};
  std::string note{};
};

constexpr std::string_view note_name("mini\0", 5);  // the keyword of the text chunk

Outline outline_of(std::span<const std::byte> bytes) {
  Outline outline;
  ByteReader file(bytes);
  file.skip(signature.size());
  bool has_profile = false;
  while (file.left() >= end_chunk.size()) {
    const auto length = file.big<std::uint32_t>();
    const std::string_view name = as_text(file.take(4));
    const bool first = file.place() == signature.size() + 8;
    check(!first || name != "CgBI",
          "this is Apple's variant of PNG (CgBI), which is none; convert it, for instance with "
          "pngcrush -revert-iphone-optimizations");
    if (length > file.left() || file.left() - length < 4)
      fail_truncated("it ends within a chunk of ", length, " bytes");
    const auto content = file.take(length);
    file.skip(4);
    outline.length = file.place();
    ByteReader number(content);
    if (name == "IDAT") outline.data += length;
    if (name == "acTL" && length >= 4) outline.frames = number.big<std::uint32_t>();
    if (name == "gAMA" && length == 4) outline.gamma = number.big<std::uint32_t>();
    if (name == "sRGB" || name == "iCCP") has_profile = true;
    if (name == "eXIf") outline.exif = content;
    if (name == "tEXt" && as_text(content).starts_with(note_name))
      outline.note = as_text(content.subspan(note_name.size()));
    if (name == "IEND") {
      outline.ends = true;
      break;
    }
  }
  if (!outline.ends && !end_chunk.starts_with(as_text(file.rest())))
    fail_truncated("it ends within a chunk");
  if (has_profile) outline.gamma = 0;
  return outline;
}

struct State {
  WayOut out;
  std::span<const std::byte> in;
  bool ran_out = false, extra = false;
  Bytes written;
};

// libpng's structures for a reader or a writer, and the place for its error.
struct Png {
  State state;
  png_structp png = nullptr;
  png_infop info = nullptr;
  bool reads;

  explicit Png(bool reads_) : reads(reads_) {
    png = reads ? png_create_read_struct(PNG_LIBPNG_VER_STRING, &state, on_error, on_warning)
                : png_create_write_struct(PNG_LIBPNG_VER_STRING, &state, on_error, on_warning);
    if (png != nullptr) info = png_create_info_struct(png);
    if (info == nullptr) {
      destroy();
      fail("libpng has no memory, or its headers and library are of different versions");
    }
  }
  ~Png() { destroy(); }
  Png(const Png&) = delete;
  Png& operator=(const Png&) = delete;

  void destroy() {
    if (reads)
      png_destroy_read_struct(&png, &info, nullptr);
    else
      png_destroy_write_struct(&png, &info);
  }
  static State& state_of(png_structp png) { return *static_cast<State*>(png_get_error_ptr(png)); }
  [[noreturn]] static void on_error(png_structp png, png_const_charp text) {
    state_of(png).out.leave(text);
  }
  static void on_warning(png_structp png, png_const_charp text) {
    const std::string_view warning = text;
    if (warning.ends_with("Extra compressed data"))
      state_of(png).extra = true;
    else if (!warning.starts_with("iCCP") &&  // libpng drops a profile that it finds faulty
             !warning.ends_with("ignored in grayscale PNG") &&
             !warning.ends_with("out-of-range samples for bit_depth"))  // tRNS's upper bits
      on_error(png, text);
  }
};

// Feeds libpng the file's whole chunks, and an end chunk where the file has none.
void read_bytes(png_structp png, png_bytep to, std::size_t count) {
  State& state = Png::state_of(png);
  if (state.in.empty() && !state.ran_out) {
    state.ran_out = true;
    state.in = as_bytes(end_chunk);
  }
  if (count > state.in.size()) png_error(png, "it ends too early");
  std::memcpy(to, state.in.data(), count);
  state.in = state.in.subspan(count);
}

constexpr png_byte profile_chunk[] = "iCCP";

// The colour profile that libpng has read, if there is one.
Bytes profile_of(const Png& reader) {
  png_charp name = nullptr;
  int compression = 0;
  png_bytep profile = nullptr;
  png_uint_32 length = 0;
  if (png_get_iCCP(reader.png, reader.info, &name, &compression, &profile, &length) == 0) return {};
  return copy_of(std::as_bytes(std::span(profile, length)));
}

// Calls libpng to read and turns its errors into "truncated" or "damaged".
template <class F>
void run(Png& reader, const F& f) {
  try {
    guarded(reader.state.out, f);
  } catch (const Error& error) {
    const std::string text = error.what();
    check(text.find("memory") == std::string::npos, text);
    if (reader.state.ran_out) fail_truncated(text);
    fail_damaged(text);
  }
}

struct Form {
  std::int64_t width = 0, height = 0, row_bytes = 0;
  int passes = 1, channels = 0, bits = 8;  // the latter two after set_transforms
  bool palette = false, gray = false;
  std::int64_t sample() const { return bits / 8; }
};

Form read_form(Png& reader, std::span<const std::byte> bytes) {
  Form form;
  png_structp png = reader.png;
  png_infop info = reader.info;
  reader.state.in = bytes;
  run(reader, [&] {
    png_set_read_fn(png, nullptr, read_bytes);
    png_set_crc_action(png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
    // Only the checksum of chunks that make no pixels is checked. check_size limits the sides.
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_AS_DEFAULT, profile_chunk, 1);
    png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_read_info(png, info);
    form.width = png_get_image_width(png, info);
    form.height = png_get_image_height(png, info);
    form.row_bytes = static_cast<std::int64_t>(png_get_rowbytes(png, info));
    const int colour_type = png_get_color_type(png, info);
    form.palette = colour_type == PNG_COLOR_TYPE_PALETTE;
    form.gray = (colour_type & PNG_COLOR_MASK_COLOR) == 0;
  });
  return form;
}

// One byte a colour of the palette, or RGB or RGBA; of 16 bits where `deep` lets them be.
void set_transforms(Png& reader, Form& form, bool deep) {
  png_structp png = reader.png;
  png_infop info = reader.info;
  run(reader, [&] {
    if (form.palette) {
      png_set_packing(png);
    } else {
      png_set_expand(png);  // less than 8 bits to 8, a transparent colour to alpha
      if (!deep) png_set_scale_16(png);
      png_set_gray_to_rgb(png);
    }
    form.passes = png_set_interlace_handling(png);
    png_read_update_info(png, info);
    form.channels = png_get_channels(png, info);
    form.bits = png_get_bit_depth(png, info);
  });
}

void read_rows(Png& reader, const Form& form, const Tensor& pixels) {
  auto* const out = pixels.data<std::uint8_t>();
  const std::int64_t stride = form.width * form.channels * form.sample();
  run(reader, [&] {
    for (int pass = 0; pass < form.passes; ++pass)
      for (std::int64_t y = 0; y < form.height; ++y)
        png_read_row(reader.png, out + y * stride, nullptr);
    png_read_end(reader.png, nullptr);
  });
}

// Big-endian 16 bits -> float32 in [0,1], which is exact.
Tensor as_float(const Tensor& bytes, const Form& form) {
  Tensor pixels = Tensor::empty({form.height, form.width, form.channels});
  const auto* in = bytes.data<std::uint8_t>();
  for (std::int64_t i = 0; i < pixels.numel(); ++i, in += 2)
    pixels.data<float>()[i] = static_cast<float>(in[0] << 8 | in[1]) / 65535.0F;
  return pixels;
}

Tensor look_up(Png& reader, const Tensor& indices) {
  png_colorp colours = nullptr;
  png_bytep alpha = nullptr;
  int count = 0, alphas = 0;
  png_get_PLTE(reader.png, reader.info, &colours, &count);
  png_get_tRNS(reader.png, reader.info, &alpha, &alphas, nullptr);
  Palette palette;
  for (int i = 0; i < count; ++i)
    palette.colours.push_back({colours[i].red, colours[i].green, colours[i].blue,
                               i < alphas ? alpha[i] : std::uint8_t{255}});
  const Tensor rgba = allocate_pixels(indices.size(1), indices.size(0), 4);
  for (std::int64_t i = 0; i < indices.numel(); ++i)
    std::memcpy(rgba.data<std::uint8_t>() + 4 * i,
                palette.at(indices.data<std::uint8_t>()[i]).data(), 4);
  return rgba;
}

void append(png_structp png, png_bytep data, std::size_t count) {
  State& state = Png::state_of(png);
  bool appended = true;
  try {
    const auto* begin = reinterpret_cast<const std::byte*>(data);
    state.written.insert(state.written.end(), begin, begin + count);
  } catch (const std::exception&) {  // exceptions must not cross libpng's C code
    appended = false;
  }
  if (!appended) png_error(png, "there is not enough memory");
}

// Row `y` as PNG has it.
void fill_row(const Tensor& image, std::size_t y, Bytes& row) {
  if (image.dtype() == DType::uint8) {
    std::memcpy(row.data(), image.raw_data() + y * row.size(), row.size());
    return;
  }
  const float* const values = image.data<float>() + y * row.size() / 2;
  for (std::size_t i = 0; i < row.size() / 2; ++i) {
    const float value = values[i] > 0 ? std::min(values[i], 1.0F) : 0.0F;
    const auto sample = static_cast<unsigned>(std::nearbyint(65535.0F * value));
    row[2 * i] = static_cast<std::byte>(sample >> 8);
    row[2 * i + 1] = static_cast<std::byte>(sample);
  }
}

}  // namespace

bool is_png(std::span<const std::byte> bytes) { return as_text(bytes).starts_with(signature); }

Decoded decode_png(std::span<const std::byte> bytes, const ReadOptions& options) {
  const Outline outline = outline_of(bytes);
  check(outline.frames <= 1, "this PNG is an animation (APNG); mini reads still images");
  Png reader(true);
  Form form = read_form(reader, bytes.first(outline.length));
  check_size(form.width, form.height, options, 1);
  check_length(static_cast<std::size_t>(outline.data), form.row_bytes * form.height / best_ratio);
  set_transforms(reader, form, options.native);
  const bool deep = form.bits == 16;
  check_size(form.width, form.height, options,
             deep                 ? std::int64_t{6} * form.channels
             : form.palette       ? 1 + bytes_of_rgba
             : form.channels == 4 ? bytes_of_rgba
                                  : bytes_of_rgb);
  Decoded decoded{.pixels = allocate_pixels(form.width * form.sample(), form.height, form.channels),
                  .gray = form.gray};
  read_rows(reader, form, decoded.pixels);
  if (deep) decoded.pixels = as_float(decoded.pixels, form);
  if (form.palette) decoded.pixels = look_up(reader, decoded.pixels);
  if (!outline.ends) decoded.notices.emplace_back("the end mark is missing; all pixels are there");
  if (reader.state.extra) decoded.notices.emplace_back("there is data behind the pixels");
  if (outline.gamma != 0 && (outline.gamma < 43000 || outline.gamma > 48000))
    decoded.notices.push_back(
        concat_text("its gamma of ", outline.gamma / 1e5, " is ignored: values are taken as sRGB"));
  decoded.metadata = {
      .exif = copy_of(outline.exif), .profile = profile_of(reader), .note = outline.note};
  return decoded;
}

Bytes encode_png(const Tensor& image, const EncodeOptions& options) {
  Png writer(false);
  png_structp png = writer.png;
  const auto height = static_cast<png_uint_32>(image.size(0));
  const auto width = static_cast<png_uint_32>(image.size(1));
  const auto channels = static_cast<std::size_t>(image.size(2));
  const bool deep = image.dtype() == DType::float32;
  Bytes row(width * channels * (deep ? 2 : 1));
  constexpr int colour_types[] = {PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA,
                                  PNG_COLOR_TYPE_RGB, PNG_COLOR_TYPE_RGB_ALPHA};
  const Metadata none, &metadata = options.metadata != nullptr ? *options.metadata : none;
  Bytes exif = metadata.exif;
  std::string keyword = "mini", note = metadata.note;
  png_text text{};
  text.compression = PNG_TEXT_COMPRESSION_NONE;
  text.key = keyword.data();
  text.text = note.data();
  text.text_length = note.size();
  guarded(writer.state.out, [&] {
    png_set_write_fn(png, nullptr, append, nullptr);
    png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_compression_level(png, options.png_level);
    png_set_compression_mem_level(png, 9);
    png_set_compression_buffer_size(png, 1 << 16);  // a chunk's length
    png_set_IHDR(png, writer.info, width, height, deep ? 16 : 8, colour_types[channels - 1],
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    if (!exif.empty())
      png_set_eXIf_1(png, writer.info, static_cast<png_uint_32>(exif.size()),
                     reinterpret_cast<png_bytep>(exif.data()));
    if (!metadata.profile.empty())
      png_set_iCCP(png, writer.info, "ICC profile", PNG_COMPRESSION_TYPE_BASE,
                   reinterpret_cast<png_const_bytep>(metadata.profile.data()),
                   static_cast<png_uint_32>(metadata.profile.size()));
    if (!note.empty()) png_set_text(png, writer.info, &text, 1);
    png_write_info(png, writer.info);
    for (std::size_t y = 0; y < height; ++y) {
      fill_row(image, y, row);
      png_write_row(png, reinterpret_cast<png_const_bytep>(row.data()));
    }
    png_write_end(png, nullptr);
  });
  return std::move(writer.state.written);
}

}  // namespace mini::io
