// WebP by libwebp.
#include <cstring>
#include <webp/decode.h>
#include <webp/encode.h>

#include "io/codecs.h"

namespace mini::io {
namespace {

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

// What libwebp allocates while it encodes.
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

}  // namespace

bool is_webp(std::span<const std::byte> bytes) {
  return bytes.size() >= 12 && std::memcmp(bytes.data(), "RIFF", 4) == 0 &&
         std::memcmp(bytes.data() + 8, "WEBP", 4) == 0;
}

Tensor decode_webp(std::span<const std::byte> bytes) {
  const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
  WebPBitstreamFeatures features{};
  check(WebPGetFeatures(data, bytes.size(), &features) == VP8_STATUS_OK,
        "the WebP header is corrupt or truncated");
  check(features.has_animation == 0, "this WebP file is an animation, not an image");
  const Tensor image = allocate_image(features.width, features.height);
  check(WebPDecodeRGBInto(data, bytes.size(), image.data<std::uint8_t>(), image.bytes(),
                          3 * features.width) != nullptr,
        "the WebP data is corrupt or truncated");
  return image;
}

Bytes encode_webp(const Tensor& image, int quality) {
  const std::int64_t height = image.size(0), width = image.size(1);
  check(height <= WEBP_MAX_DIMENSION && width <= WEBP_MAX_DIMENSION, "WebP takes at most ",
        WEBP_MAX_DIMENSION, " pixels a side, not ", width, "x", height);
  Encoder encoder;
  WebPPicture& picture = encoder.picture;
  WebPConfig config;
  check(WebPConfigInit(&config) != 0 && WebPPictureInit(&picture) != 0,
        "libwebp's headers and library are of different versions");
  config.quality = static_cast<float>(quality);
  config.method = 4;
  picture.width = static_cast<int>(width);
  picture.height = static_cast<int>(height);
  picture.use_argb = 0;  // to YUV on import, with the bits that the encoder would make of ARGB
  check(
      WebPPictureImportRGB(&picture, image.data<std::uint8_t>(), static_cast<int>(3 * width)) != 0,
      "out of memory");
  picture.writer = WebPMemoryWrite;
  picture.custom_ptr = &encoder.writer;
  check(WebPEncode(&config, &picture) != 0, describe(picture.error_code));
  const auto* data = reinterpret_cast<const std::byte*>(encoder.writer.mem);
  return {data, data + encoder.writer.size};
}

}  // namespace mini::io
