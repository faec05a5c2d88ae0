// PNG and the less common formats by stb_image, PNG writing by stb_image_write: the one file that
// compiles stb's sources. The warnings they would raise are silenced for them alone.
#include <climits>

#include "io/codecs.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#pragma GCC diagnostic ignored "-Wsign-compare"
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_NO_STDIO
#define STBI_NO_JPEG  // libjpeg-turbo reads these
#define STBI_NO_HDR   // not 8-bit
#define STBI_NO_PIC
#define STBI_MAX_DIMENSIONS 65535
#include <stb/stb_image.h>
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#define STBI_WRITE_NO_STDIO
#include <stb/stb_image_write.h>
#pragma GCC diagnostic pop

namespace mini::io {

Tensor decode_by_stb(std::span<const std::byte> bytes) {
  check(bytes.size() <= INT_MAX, "the file is larger than 2 GiB");
  const auto* data = reinterpret_cast<const stbi_uc*>(bytes.data());
  const int size = static_cast<int>(bytes.size());
  int width = 0, height = 0, channels = 0;
  check(stbi_info_from_memory(data, size, &width, &height, &channels) != 0,
        "no JPEG, WebP, PNG, BMP, GIF, TGA, PNM or PSD image, or a corrupt one (",
        stbi_failure_reason(), ")");
  const Tensor image = allocate_image(width, height);
  stbi_uc* const pixels = stbi_load_from_memory(data, size, &width, &height, &channels, 3);
  check(pixels != nullptr, "the image is corrupt or truncated (", stbi_failure_reason(), ")");
  const bool same = height == image.size(0) && width == image.size(1);
  if (same) std::copy_n(pixels, image.numel(), image.data<std::uint8_t>());
  stbi_image_free(pixels);
  check(same, "the image contradicts itself about its size");
  return image;
}

Bytes encode_png(const Tensor& image) {
  // stb computes sizes in int and doubles its buffers.
  check(image.numel() < INT_MAX / 4, "PNG writing takes at most ", INT_MAX / 4 / 3, " pixels");
  Bytes bytes;
  const int height = static_cast<int>(image.size(0)), width = static_cast<int>(image.size(1));
  const auto append = [](void* context, void* data, int size) {
    const auto* begin = static_cast<const std::byte*>(data);
    auto& to = *static_cast<Bytes*>(context);
    to.insert(to.end(), begin, begin + size);
  };
  check(stbi_write_png_to_func(append, &bytes, width, height, 3, image.data<std::uint8_t>(),
                               3 * width) != 0,
        "out of memory");
  return bytes;
}

}  // namespace mini::io
