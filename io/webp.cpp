// WebP by libwebp.
#include <cstring>
#include <memory>
#include <webp/decode.h>
#include <webp/encode.h>
#include <webp/mux.h>

#include "io/byte_reader.h"
#include "io/codecs.h"
#include "io/image.h"

namespace mini::io {
namespace {

static_assert(max_webp_side == WEBP_MAX_DIMENSION);
constexpr const char* different_versions =
    "libwebp's headers and library are of different versions";

void check_status(VP8StatusCode status) {
  switch (status) {
    case VP8_STATUS_OK:
      return;
    case VP8_STATUS_OUT_OF_MEMORY:
      fail("there is not enough memory");
    case VP8_STATUS_SUSPENDED:
    case VP8_STATUS_NOT_ENOUGH_DATA:
      fail_truncated("it ends before its pixels do");
    default:
      fail_damaged("libwebp cannot decode it");
  }
}

Metadata metadata_of(std::span<const std::byte> bytes) {
  Metadata metadata;
  ByteReader file(bytes);
  file.skip(12);  // RIFF, its length, WEBP
  while (file.left() >= 8) {
    const std::string_view name = as_text(file.take(4));
    const std::size_t length = file.little<std::uint32_t>();
    if (length > file.left()) break;
    auto content = file.take(length);
    if (name == "EXIF") {  // some programs keep the prefix that the data has in a JPEG
      if (as_text(content).starts_with(jpeg_exif_name)) content = content.subspan(6);
      metadata.exif = copy_of(content);
    }
    if (name == "VP8 ") metadata.quality = webp_quality(content);
    if (name == "ICCP") metadata.profile = copy_of(content);
    if (name == "XMP ") metadata.note = note_from_xmp(as_text(content));
    if (length % 2 == 1 && file.left() > 0) file.skip(1);
  }
  return metadata;
}

const char* describe(WebPEncodingError error) {
  switch (error) {
    case VP8_ENC_ERROR_OUT_OF_MEMORY:
    case VP8_ENC_ERROR_BITSTREAM_OUT_OF_MEMORY:
      return "out of memory";
    case VP8_ENC_ERROR_PARTITION0_OVERFLOW:
    case VP8_ENC_ERROR_PARTITION_OVERFLOW:
      return "the image does not fit WebP's partitions; lower the quality";
    case VP8_ENC_ERROR_FILE_TOO_BIG:
      return "the file would exceed 4 GiB";
    default:
      return "libwebp refuses the image";
  }
}

// The buffers that libwebp allocates while it encodes.
struct Encoder {
  WebPPicture picture{};
  WebPMemoryWriter writer{};
  Encoder() { WebPMemoryWriterInit(&writer); }
  ~Encoder() {
    WebPPictureFree(&picture);
    WebPMemoryWriterClear(&writer);
  }
  Encoder(const Encoder&) = delete;
  Encoder& operator=(const Encoder&) = delete;
};

WebPData data_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
}

// The file with chunks for the metadata; the same where there is none.
Bytes with_metadata(std::span<const std::byte> file, const Metadata& metadata) {
  const std::string xmp = metadata.note.empty() ? "" : note_to_xmp(metadata.note);
  if (metadata.exif.empty() && metadata.profile.empty() && xmp.empty()) return copy_of(file);
  const WebPData image = data_of(file);
  const std::unique_ptr<WebPMux, decltype(&WebPMuxDelete)> mux(WebPMuxCreate(&image, 0),
                                                               &WebPMuxDelete);
  const auto add = [&](const char* name, std::span<const std::byte> content) {
    const WebPData chunk = data_of(content);
    return content.empty() || WebPMuxSetChunk(mux.get(), name, &chunk, 1) == WEBP_MUX_OK;
  };
  WebPData all{};
  const bool done = mux != nullptr && add("ICCP", metadata.profile) && add("EXIF", metadata.exif) &&
                    add("XMP ", as_bytes(xmp)) && WebPMuxAssemble(mux.get(), &all) == WEBP_MUX_OK;
  const auto* bytes = reinterpret_cast<const std::byte*>(all.bytes);
  Bytes result = done ? Bytes(bytes, bytes + all.size) : Bytes{};
  WebPDataClear(&all);
  check(done, "libwebp cannot add the metadata");
  return result;
}

}  // namespace

bool is_webp(std::span<const std::byte> bytes) {
  return bytes.size() >= 12 && std::memcmp(bytes.data(), "RIFF", 4) == 0 &&
         std::memcmp(bytes.data() + 8, "WEBP", 4) == 0;
}

Decoded decode_webp(std::span<const std::byte> bytes, const ReadOptions& options) {
  const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
  WebPDecoderConfig config;
  check(WebPInitDecoderConfig(&config) != 0, different_versions);
  check_status(WebPGetFeatures(data, bytes.size(), &config.input));
  const WebPBitstreamFeatures& features = config.input;
  check(features.has_animation == 0, "this WebP is an animation; mini reads still images");
  const int channels = features.has_alpha != 0 ? 4 : 3;
  constexpr std::int64_t workspace = 5;  // libwebp's own, at most, where nothing is lost
  check_size(features.width, features.height, options,
             workspace + (channels == 4 ? bytes_of_rgba : bytes_of_rgb));
  const Tensor pixels = allocate_pixels(features.width, features.height, channels);
  config.output.colorspace = channels == 4 ? MODE_RGBA : MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA = {.rgba = pixels.data<std::uint8_t>(),
                          .stride = channels * features.width,
                          .size = static_cast<std::size_t>(pixels.numel())};
  check_status(WebPDecode(data, bytes.size(), &config));
  return {.pixels = pixels, .metadata = metadata_of(bytes)};
}

Bytes encode_webp(const Tensor& image, const EncodeOptions& options) {
  const std::int64_t height = image.size(0), width = image.size(1);
  Encoder encoder;
  WebPPicture& picture = encoder.picture;
  WebPConfig config;
  check(WebPConfigInit(&config) != 0 && WebPPictureInit(&picture) != 0, different_versions);
  config.quality = static_cast<float>(options.quality);
  config.method = options.webp_method;
  if (options.lossless) {
    config.lossless = 1;
    config.exact = 1;
    config.quality = 75;  // the effort, where nothing is lost
  }
  picture.width = static_cast<int>(width);
  picture.height = static_cast<int>(height);
  // Lossy: converts to YUV on import, to the same bits that the encoder would make from ARGB.
  picture.use_argb = options.lossless ? 1 : 0;
  const auto import = image.size(2) == 4 ? WebPPictureImportRGBA : WebPPictureImportRGB;
  check(import(&picture, image.data<std::uint8_t>(), static_cast<int>(image.size(2) * width)) != 0,
        "out of memory");
  picture.writer = WebPMemoryWrite;
  picture.custom_ptr = &encoder.writer;
  check(WebPEncode(&config, &picture) != 0, describe(picture.error_code));
  const auto* data = reinterpret_cast<const std::byte*>(encoder.writer.mem);
  const std::span<const std::byte> file(data, encoder.writer.size);
  return options.metadata != nullptr ? with_metadata(file, *options.metadata) : copy_of(file);
}

}  // namespace mini::io
