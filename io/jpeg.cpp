// JPEG by libjpeg-turbo.
//
// The library reports an error by calling error_exit, which must not return. The usual way out is
// longjmp, which in C++ is defined only if it skips no destructor. So the library is called through
// guarded() alone, with functions that hold nothing to destroy; tensors, buffers and the library's
// own structures live outside.
#include <csetjmp>
#include <cstdio>  // jpeglib.h uses FILE without including it
#include <cstring>
#include <exception>
#include <jerror.h>
#include <jpeglib.h>
#include <utility>

#include "io/codecs.h"

namespace mini::io {
namespace {

struct ErrorManager {
  jpeg_error_mgr base{};
  std::jmp_buf jump{};
  char text[JMSG_LENGTH_MAX] = {};
};

[[noreturn]] void on_error(j_common_ptr info) {
  auto* manager = reinterpret_cast<ErrorManager*>(info->err);
  manager->base.format_message(info, manager->text);
  std::longjmp(manager->jump, 1);
}

// Level -1 is a warning: the data is damaged, the library goes on with gray. Mini refuses it, but
// for warnings about what does no harm to the pixels.
void on_message(j_common_ptr info, int level) {
  if (level >= 0) return;
  switch (info->err->msg_code) {
    case JWRN_EXTRANEOUS_DATA:  // bytes between two markers
    case JWRN_ADOBE_XFORM:
    case JWRN_JFIF_MAJOR:
    case JWRN_TOO_MUCH_DATA:
      return;
    default:
      on_error(info);
  }
}

jpeg_error_mgr* set_up(ErrorManager& errors) {
  jpeg_std_error(&errors.base);
  errors.base.error_exit = on_error;
  errors.base.emit_message = on_message;
  return &errors.base;
}

// Runs f; an error of the library inside it arrives here and becomes an Error. Not inlined, so that
// setjmp meets no caller's variable in a register.
template <class F>
[[gnu::noinline]] void guarded(ErrorManager& errors, const F& f) {
  if (setjmp(errors.jump) != 0) throw Error(errors.text);
  f();
}

struct Reader {
  ErrorManager errors;
  jpeg_decompress_struct info{};
  Reader() { info.err = set_up(errors); }
  ~Reader() { jpeg_destroy_decompress(&info); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
};

// Where the library writes. Its own jpeg_mem_dest tells of the buffer that it grows at the end
// alone, so that after an error nobody knows which one to free.
struct Destination {
  jpeg_destination_mgr base{};
  Bytes bytes = Bytes(1 << 16);
};

// Makes the part of the buffer from `used` on the library's.
void offer(Destination& to, std::size_t used) {
  to.base.next_output_byte = reinterpret_cast<JOCTET*>(to.bytes.data()) + used;
  to.base.free_in_buffer = to.bytes.size() - used;
}

// The library calls this when the buffer is full. No exception may cross its functions.
boolean grow(j_compress_ptr info) {
  auto& to = *reinterpret_cast<Destination*>(info->dest);
  const std::size_t used = to.bytes.size();
  bool grown = true;
  try {
    to.bytes.resize(2 * used);
  } catch (const std::exception&) {
    grown = false;
  }
  if (!grown) ERREXIT1(info, JERR_OUT_OF_MEMORY, 0);
  offer(to, used);
  return TRUE;
}

struct Writer {
  ErrorManager errors;
  Destination to;
  jpeg_compress_struct info{};
  Writer() {
    info.err = set_up(errors);
    to.base.init_destination = [](j_compress_ptr) {};
    to.base.empty_output_buffer = grow;
    to.base.term_destination = [](j_compress_ptr) {};
    offer(to, 0);
  }
  ~Writer() { jpeg_destroy_compress(&info); }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
};

std::uint8_t multiply(int a, int b) { return static_cast<std::uint8_t>((a * b + 127) / 255); }

// Ink covers light: red = (1 - cyan) · (1 - black). Adobe stores the complements.
void cmyk_to_rgb(const std::uint8_t* cmyk, std::uint8_t* rgb, std::int64_t count, bool inverted) {
  const int flip = inverted ? 0 : 255;  // v ^ 255 = 255 - v
  for (std::int64_t i = 0; i < count; ++i)
    for (int c = 0; c < 3; ++c)
      rgb[3 * i + c] = multiply(cmyk[4 * i + c] ^ flip, cmyk[4 * i + 3] ^ flip);
}

}  // namespace

bool is_jpeg(std::span<const std::byte> bytes) {
  return bytes.size() >= 3 && std::memcmp(bytes.data(), "\xff\xd8\xff", 3) == 0;
}

Tensor decode_jpeg(std::span<const std::byte> bytes) {
  Reader reader;
  jpeg_decompress_struct& info = reader.info;
  guarded(reader.errors, [&] {
    jpeg_create_decompress(&info);
    jpeg_mem_src(&info, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
    jpeg_read_header(&info, TRUE);
  });
  const Tensor image = allocate_image(info.image_width, info.image_height);
  auto* const pixels = image.data<std::uint8_t>();
  const std::int64_t width = info.image_width;
  const bool cmyk = info.jpeg_color_space == JCS_CMYK || info.jpeg_color_space == JCS_YCCK;
  info.out_color_space = cmyk ? JCS_CMYK : JCS_RGB;
  std::vector<std::uint8_t> ink(cmyk ? static_cast<std::size_t>(4 * width) : 0);
  guarded(reader.errors, [&] {
    jpeg_start_decompress(&info);
    while (info.output_scanline < info.output_height) {
      std::uint8_t* const row = pixels + 3 * width * info.output_scanline;
      JSAMPROW target = cmyk ? ink.data() : row;
      jpeg_read_scanlines(&info, &target, 1);
      if (cmyk) cmyk_to_rgb(ink.data(), row, width, info.saw_Adobe_marker != FALSE);
    }
    jpeg_finish_decompress(&info);
  });
  return image;
}

Bytes encode_jpeg(const Tensor& image, int quality) {
  check(image.size(0) <= JPEG_MAX_DIMENSION && image.size(1) <= JPEG_MAX_DIMENSION,
        "JPEG takes at most ", JPEG_MAX_DIMENSION, " pixels a side, not ", image.size(1), "x",
        image.size(0));
  Writer writer;
  jpeg_compress_struct& info = writer.info;
  auto* const pixels = image.data<std::uint8_t>();
  info.image_width = static_cast<JDIMENSION>(image.size(1));
  info.image_height = static_cast<JDIMENSION>(image.size(0));
  const std::size_t stride = std::size_t{3} * info.image_width;
  guarded(writer.errors, [&] {
    const JDIMENSION width = info.image_width, height = info.image_height;
    jpeg_create_compress(&info);  // clears the structure
    info.dest = &writer.to.base;
    info.image_width = width;
    info.image_height = height;
    info.input_components = 3;
    info.in_color_space = JCS_RGB;
    jpeg_set_defaults(&info);
    jpeg_set_quality(&info, quality, TRUE);
    jpeg_start_compress(&info, TRUE);
    while (info.next_scanline < info.image_height) {
      JSAMPROW row = pixels + stride * info.next_scanline;
      jpeg_write_scanlines(&info, &row, 1);
    }
    jpeg_finish_compress(&info);
  });
  Bytes& bytes = writer.to.bytes;
  bytes.resize(bytes.size() - writer.to.base.free_in_buffer);
  return std::move(bytes);
}

}  // namespace mini::io
