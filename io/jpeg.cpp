// JPEG by libjpeg-turbo.
//
// After damage the library fills up with gray, and it decodes as many scans as a file has. So
// outline_of() looks at the markers first, the library's warnings become Errors, and the scans that
// were read are compared with those that the header promises.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>  // jpeglib.h uses FILE without including it
#include <cstring>
#include <exception>
#include <jerror.h>
#include <jpeglib.h>
#include <limits>
#include <map>
#include <utility>

#include "io/byte_reader.h"
#include "io/codecs.h"
#include "io/guarded_call.h"
#include "io/image.h"

namespace mini::io {
namespace {

static_assert(max_jpeg_side == JPEG_MAX_DIMENSION);

// Each scan passes over the whole image, so their number is limited. Images of any size may have ten.
constexpr std::int64_t max_scans = 500;
constexpr std::int64_t max_scanned_pixels = std::int64_t{1} << 32;

// How the segments begin that hold metadata, besides Exif's.
constexpr std::string_view profile_name("ICC_PROFILE\0", 12);
constexpr std::string_view note_name = "mini: ";
constexpr std::size_t longest_segment = 65533;
static_assert(max_jpeg_exif == longest_segment - jpeg_exif_name.size());
static_assert(max_jpeg_profile == 255 * (longest_segment - profile_name.size() - 2));

struct Outline {
  std::int64_t scans = 0;
  bool ends = false;  // has an EOI marker
  std::span<const std::byte> exif{};
  std::string note{};
  std::map<int, std::span<const std::byte>> profile{};  // its parts, by their numbers from 1 on
  int profile_parts = 0;                                // as each of them says
};

// A profile longer than a segment lies in several of them: "ICC_PROFILE\0", number, count, bytes.
void add_profile_part(Outline& outline, std::span<const std::byte> content) {
  ByteReader part(content.subspan(profile_name.size()));
  if (part.left() < 2) return;
  const int number = part.byte();
  outline.profile_parts = part.byte();
  outline.profile[number] = part.rest();
}

// Empty where a part is missing.
Bytes profile_of(const Outline& outline) {
  Bytes profile;
  for (int number = 1; number <= outline.profile_parts; ++number) {
    const auto part = outline.profile.find(number);
    if (part == outline.profile.end()) return {};
    profile.insert(profile.end(), part->second.begin(), part->second.end());
  }
  return profile;
}

// Walks from marker to marker, over the segments and the coded data between them.
Outline outline_of(std::span<const std::byte> bytes) {
  constexpr int restart_0 = 0xd0, restart_7 = 0xd7, end = 0xd9, scan = 0xda, app1 = 0xe1,
                app2 = 0xe2, comment = 0xfe;
  Outline outline;
  ByteReader file(bytes);
  file.skip(2);
  for (;;) {
    const auto rest = file.rest();
    const void* const found = rest.empty() ? nullptr : std::memchr(rest.data(), 0xff, rest.size());
    if (found == nullptr) return outline;
    file.skip(static_cast<std::size_t>(static_cast<const std::byte*>(found) - rest.data()));
    int marker = 0xff;
    while (marker == 0xff && file.left() > 0) marker = file.byte();  // fill bytes
    if (marker <= 1 || marker == 0xff || (marker >= restart_0 && marker <= restart_7)) continue;
    outline.ends = marker == end;
    if (outline.ends || file.left() < 2) return outline;
    if (marker == scan) ++outline.scans;
    const std::size_t length = file.big<std::uint16_t>();
    if (length < 2 || length - 2 > file.left()) return outline;
    const auto content = file.take(length - 2);
    if (marker == app1 && outline.exif.empty() && as_text(content).starts_with(jpeg_exif_name))
      outline.exif = content.subspan(jpeg_exif_name.size());
    if (marker == app2 && as_text(content).starts_with(profile_name))
      add_profile_part(outline, content);
    if (marker == comment && as_text(content).starts_with(note_name))
      outline.note = as_text(content.subspan(note_name.size()));
  }
}

struct ErrorManager {
  jpeg_error_mgr base{};
  WayOut out;
  bool extraneous = false;  // bytes between two markers
};

[[noreturn]] void on_error(j_common_ptr info) {
  auto* manager = reinterpret_cast<ErrorManager*>(info->err);
  static_assert(sizeof(manager->out.text) >= JMSG_LENGTH_MAX);
  manager->base.format_message(info, manager->out.text);
  manager->out.leave();
}

// Level -1 is a warning: the data is damaged, the library goes on with gray. mini refuses the
// file, except after warnings about things that do no harm to the pixels.
void on_message(j_common_ptr info, int level) {
  if (level >= 0) return;
  switch (info->err->msg_code) {
    case JWRN_EXTRANEOUS_DATA:
      reinterpret_cast<ErrorManager*>(info->err)->extraneous = true;
      return;
    case JWRN_NOT_SEQUENTIAL:  // a baseline scan's header with Se = 0, as some cameras write
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

// At the end of the bytes the library gets an end marker. Missing data before it causes other warnings.
boolean add_end(j_decompress_ptr info) {
  static constexpr JOCTET end[] = {0xff, JPEG_EOI};
  info->src->next_input_byte = end;
  info->src->bytes_in_buffer = sizeof(end);
  return TRUE;
}

struct Reader {
  ErrorManager errors;
  jpeg_decompress_struct info{};
  Reader() { info.err = set_up(errors); }
  ~Reader() { jpeg_destroy_decompress(&info); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
};

// The buffer that the library writes to. The library's own jpeg_mem_dest names its grown buffer only
// at the end, so after an error nobody could free it.
struct Destination {
  jpeg_destination_mgr base{};
  Bytes bytes = Bytes(1 << 16);
};

// Gives the library the part of the buffer from `used` on.
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

// Turns the library's message into "truncated", "damaged" or what else it means.
[[noreturn]] void explain(const Reader& reader, const Outline& outline, const std::string& text) {
  switch (reader.errors.base.msg_code) {
    case JERR_OUT_OF_MEMORY:
      fail(text);
    case JERR_BAD_PRECISION:
    case JERR_SOF_UNSUPPORTED:
    case JERR_NOT_COMPILED:
    case JERR_ARITH_NOTIMPL:
    case JERR_CONVERSION_NOTIMPL:
      fail("mini does not read this kind: ", text);
    default:
      if (!outline.ends) fail_truncated(text);
      fail_damaged(text);
  }
}

template <class F>
void run(Reader& reader, const Outline& outline, const F& f) {
  try {
    guarded(reader.errors.out, f);
  } catch (const Error& error) {
    explain(reader, outline, error.what());
  }
}

// Checks what the header claims against the limits and the length of the file.
void check_header(jpeg_decompress_struct& info, const Outline& outline, std::size_t length,
                  const ReadOptions& options) {
  const std::int64_t width = info.image_width, height = info.image_height;
  check_size(width, height, options, bytes_of_rgb);
  check(outline.scans <= std::min(max_scans, max_scanned_pixels / (width * height)), "decoding ",
        outline.scans, " scans of ", width, "x", height,
        " pixels would take too long; store it as baseline JPEG, for instance with jpegtran");
  std::int64_t blocks = 0;
  for (int i = 0; i < info.num_components; ++i)
    blocks += std::int64_t{info.comp_info[i].width_in_blocks} * info.comp_info[i].height_in_blocks;
  // With several scans the library keeps all coefficients, two bytes each.
  const std::int64_t coefficients = jpeg_has_multiple_scans(&info) ? 2 * DCTSIZE2 * blocks : 0;
  check_size(width, height, options, bytes_of_rgb + coefficients / (width * height));
  if (info.arith_code == FALSE)
    check_length(length, blocks / 8);  // Huffman codes have one bit or more
}

// Whether every scan is there. Without an end marker every bit of every coefficient must have come;
// with one, each component must have appeared, and the encoder chose how many bits it sent.
bool is_complete(const jpeg_decompress_struct& info, const Outline& outline) {
  for (int i = 0; i < info.num_components; ++i) {
    if (info.comp_info[i].quant_table == nullptr) return false;  // saved when its first scan begins
    if (info.progressive_mode == FALSE || outline.ends) continue;
    for (int k = 0; k < DCTSIZE2; ++k)
      if (info.coef_bits[i][k] != 0) return false;
  }
  return true;
}

using Steps = std::array<UINT16, DCTSIZE2>;

// The library's luminance tables, for qualities from 1 to 100.
std::array<Steps, 100> make_luminance_tables() {
  std::array<Steps, 100> tables;
  Writer writer;
  jpeg_compress_struct& info = writer.info;
  guarded(writer.errors.out, [&] {
    jpeg_create_compress(&info);
    for (int quality = 1; quality <= 100; ++quality) {
      jpeg_set_quality(&info, quality, TRUE);
      std::copy_n(info.quant_tbl_ptrs[0]->quantval, DCTSIZE2,
                  tables[static_cast<std::size_t>(quality - 1)].begin());
    }
  });
  return tables;
}

// The quality whose table is nearest, by the ratios of the steps; of equally near ones the highest.
int nearest_quality(const JQUANT_TBL& table) {
  static const std::array<Steps, 100> tables = make_luminance_tables();
  const auto distance = [&](const Steps& steps) {
    double sum = 0;
    for (std::size_t k = 0; k < steps.size(); ++k)
      sum += std::abs(std::log(std::max<double>(table.quantval[k], 1) / steps[k]));
    return sum;
  };
  int best = 1;
  double least = std::numeric_limits<double>::infinity();
  for (int quality = 1; quality <= 100; ++quality)
    if (const double d = distance(tables[static_cast<std::size_t>(quality - 1)]); d <= least) {
      least = d;
      best = quality;
    }
  return best;
}

// The content of a segment; empty where there is nothing to store.
Bytes segment(std::string_view name, std::span<const std::byte> content) {
  if (content.empty()) return {};
  Bytes all = copy_of(as_bytes(name));
  all.insert(all.end(), content.begin(), content.end());
  return all;
}

void write_segment(jpeg_compress_struct& info, int marker, const Bytes& content) {
  if (content.empty()) return;
  jpeg_write_marker(&info, marker, reinterpret_cast<const JOCTET*>(content.data()),
                    static_cast<unsigned>(content.size()));
}

}  // namespace

bool is_jpeg(std::span<const std::byte> bytes) {
  return bytes.size() >= 3 && std::memcmp(bytes.data(), "\xff\xd8\xff", 3) == 0;
}

Decoded decode_jpeg(std::span<const std::byte> bytes, const ReadOptions& options) {
  const Outline outline = outline_of(bytes);
  Reader reader;
  jpeg_decompress_struct& info = reader.info;
  run(reader, outline, [&] {
    jpeg_create_decompress(&info);
    jpeg_mem_src(&info, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
    info.src->fill_input_buffer = add_end;
    jpeg_read_header(&info, TRUE);
  });
  check_header(info, outline, bytes.size(), options);
  const Tensor image = allocate_pixels(info.image_width, info.image_height, 3);
  auto* const pixels = image.data<std::uint8_t>();
  const std::int64_t width = info.image_width;
  const bool cmyk = info.jpeg_color_space == JCS_CMYK || info.jpeg_color_space == JCS_YCCK;
  info.out_color_space = cmyk ? JCS_CMYK : JCS_RGB;
  std::vector<std::uint8_t> ink(cmyk ? static_cast<std::size_t>(4 * width) : 0);
  bool complete = false;
  JQUANT_TBL steps{};
  run(reader, outline, [&] {
    jpeg_start_decompress(&info);
    while (info.output_scanline < info.output_height) {
      std::uint8_t* const row = pixels + 3 * width * info.output_scanline;
      JSAMPROW target = cmyk ? ink.data() : row;
      jpeg_read_scanlines(&info, &target, 1);
      if (cmyk) cmyk_to_rgb(ink.data(), row, width, info.saw_Adobe_marker != FALSE);
    }
    complete = is_complete(info, outline);
    if (complete) steps = *info.comp_info[0].quant_table;
    jpeg_finish_decompress(&info);
  });
  if (!complete && outline.ends) fail_damaged("a component has no scan");
  if (!complete) fail_truncated("it ends before its last scan");
  Decoded decoded{.pixels = image,
                  .gray = info.num_components == 1,
                  .metadata = {.exif = copy_of(outline.exif),
                               .profile = profile_of(outline),
                               .note = outline.note,
                               .quality = nearest_quality(steps)}};
  if (!outline.ends) decoded.notices.emplace_back("the end mark is missing; all pixels are there");
  if (reader.errors.extraneous)
    decoded.notices.emplace_back("there are stray bytes between its parts");
  return decoded;
}

Bytes encode_jpeg(const Tensor& image, const EncodeOptions& options) {
  Writer writer;
  jpeg_compress_struct& info = writer.info;
  auto* const pixels = image.data<std::uint8_t>();
  info.image_width = static_cast<JDIMENSION>(image.size(1));
  info.image_height = static_cast<JDIMENSION>(image.size(0));
  const bool gray = image.size(2) == 1;
  const std::size_t stride = (gray ? std::size_t{1} : std::size_t{3}) * info.image_width;
  const Metadata none, &metadata = options.metadata != nullptr ? *options.metadata : none;
  const Bytes exif = segment(jpeg_exif_name, metadata.exif);
  const Bytes note = segment(note_name, as_bytes(metadata.note));
  const std::span<const std::byte> profile = metadata.profile;
  check(metadata.exif.size() <= max_jpeg_exif, "a JPEG holds at most ", max_jpeg_exif,
        " bytes of Exif data, not ", metadata.exif.size(), "; leave the metadata out");
  check(profile.size() <= max_jpeg_profile, "a JPEG holds a colour profile of at most ",
        max_jpeg_profile, " bytes, not ", profile.size(), "; leave the metadata out");
  guarded(writer.errors.out, [&] {
    const JDIMENSION width = info.image_width, height = info.image_height;
    jpeg_create_compress(&info);  // clears the structure
    info.dest = &writer.to.base;
    info.image_width = width;
    info.image_height = height;
    info.input_components = gray ? 1 : 3;
    info.in_color_space = gray ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(&info);
    jpeg_set_quality(&info, options.quality, TRUE);
    if (!gray) info.comp_info[0].h_samp_factor = options.subsampling == Subsampling::s444 ? 1 : 2;
    if (!gray) info.comp_info[0].v_samp_factor = options.subsampling == Subsampling::s420 ? 2 : 1;
    info.optimize_coding = options.optimise ? TRUE : FALSE;
    if (options.progressive) jpeg_simple_progression(&info);
    jpeg_start_compress(&info, TRUE);
    write_segment(info, JPEG_APP0 + 1, exif);
    if (!profile.empty())
      jpeg_write_icc_profile(&info, reinterpret_cast<const JOCTET*>(profile.data()),
                             static_cast<unsigned>(profile.size()));
    write_segment(info, JPEG_COM, note);
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
