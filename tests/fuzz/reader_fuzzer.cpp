// Any bytes to one reader of image files (MINI_FUZZ_IS says whether they are for it). Beside what the
// sanitizers find it is a fault when
//   the result depends on what the memory held before,
//   an error says anything but Error, or holds a raw control character,
//   the picture in its own mode (ReadOptions::native) is another than the 8-bit RGB image,
//   a picture that was read does not survive being written as PNG, or cannot be written and read as
//   JPEG or WebP.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <sanitizer/allocator_interface.h>
#include <string>

#include "io/byte_reader.h"
#include "io/codecs.h"
#include "io/image.h"
#include "io/modes.h"
#include "tests/io/image_files.h"

namespace {

using mini::Tensor;

constexpr std::int64_t most_pixels = 1 << 14;

// What fresh memory holds. Larger blocks come from the system and must stay 0 for calloc.
unsigned char fill = 0;
constexpr std::size_t largest_filled = 100'000;

void fill_block(const volatile void* block, std::size_t bytes) {
  if (bytes <= largest_filled) std::memset(const_cast<void*>(block), fill, bytes);
}

[[noreturn]] void fault(const std::string& what) {
  std::fprintf(stderr, "%s\n", what.c_str());
  std::abort();
}

struct Result {
  std::optional<Tensor> image;
  std::string error;
};

Result decode_over(std::span<const std::byte> bytes, unsigned char value) {
  fill = value;
  try {
    return {mini::io::decode(bytes, {.max_pixels = most_pixels}), {}};
  } catch (const mini::Error& error) {
    return {{}, error.what()};
  }
}

bool equal(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() &&
         std::equal(a.data<std::uint8_t>(), a.data<std::uint8_t>() + a.numel(),
                    b.data<std::uint8_t>());
}

// The checksums of a PNG's chunks made right, or no change would get past them.
void mend_checksums(std::span<std::byte> file) {
  constexpr std::size_t around = 12;  // length, name, checksum
  for (std::size_t place = mini::test::png_signature.size(); place + around <= file.size();) {
    const auto length = mini::io::ByteReader(file.subspan(place)).big<std::uint32_t>();
    if (length > file.size() - place - around) return;
    const std::uint32_t crc = mini::test::crc_of(file.subspan(place + 4, length + std::size_t{4}));
    place += 8 + std::size_t{length};
    for (int i = 3; i >= 0; --i) file[place++] = static_cast<std::byte>(crc >> (8 * i));
  }
}

}  // namespace

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned seed) {
  size = LLVMFuzzerMutate(data, size, max_size);
  const auto file = std::as_writable_bytes(std::span(data, size));
  if (seed % 8 != 0 && mini::io::is_png(file)) mend_checksums(file);
  return size;
}

extern "C" int LLVMFuzzerInitialize(int* /*argc*/, char*** /*argv*/) {
  __sanitizer_install_malloc_and_free_hooks(fill_block, [](const volatile void*) {});
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mini::io;
  const auto bytes = std::as_bytes(std::span(data, size));
  if (!MINI_FUZZ_IS(bytes)) return 0;
  const Result first = decode_over(bytes, 0), second = decode_over(bytes, 0xa5);
  if (first.error != second.error) fault(first.error + "\nand then\n" + second.error);
  if (!first.image) {
    for (const unsigned char c : first.error)
      if (c < 0x20 || c == 0x7f) fault("a control character in: " + first.error);
    return 0;
  }
  const Tensor& image = *first.image;
  if (!equal(image, *second.image)) fault("the pixels depend on what the memory held");
  const Tensor native = decode(bytes, {.max_pixels = most_pixels, .native = true});
  if (native.dtype() == mini::DType::uint8 && !equal(on_white(to_rgb(native)), image))
    fault("the picture in its own mode is another");
  const auto png = encode(native, ImageFormat::png, {.png_level = 1});
  const Tensor again = decode(png, {.native = true});
  if (again.shape() != native.shape() ||
      !std::equal(again.raw_data(), again.raw_data() + again.bytes(), native.raw_data()))
    fault("PNG changes the pixels");
  if (image.numel() > 3 * 32 * 32) return 0;
  for (const ImageFormat format : {ImageFormat::jpeg, ImageFormat::webp})
    if (decode(encode(image, format, 75)).shape() != image.shape()) fault("its size changes");
  return 0;
}
