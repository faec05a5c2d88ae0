// Pictures in their own modes: what each format stores is what is read.
#include "io/modes.h"

#include "io/image.h"
#include "tensor/random.h"
#include "tensor/view.h"
#include "tests/support/support.h"

namespace mini::io {
namespace {

Tensor noise(const Shape& shape) {
  Generator generator{3, 0};
  return to_8_bits(ops::uniform(generator, shape));
}

Tensor stored(const Tensor& picture, ImageFormat format, EncodeOptions options = {}) {
  return decode(encode(picture, format, options), {.native = true});
}

TEST(PictureModes, PngKeepsAllOfThem) {
  for (const std::int64_t channels : {1, 2, 3, 4}) {
    const Tensor picture = noise({5, 7, channels});
    EXPECT_TRUE(test::equal_bits(stored(picture, ImageFormat::png), picture)) << channels;
    // 16 bits: every one of 65536 values is stored and read as itself.
    const Tensor deep = Tensor::empty({128, 512 / channels, channels});
    for (std::int64_t i = 0; i < deep.numel(); ++i)
      deep.data<float>()[i] = static_cast<float>(i % 65536) / 65535.0F;
    const Tensor read = stored(deep, ImageFormat::png);
    ASSERT_EQ(read.dtype(), DType::float32);
    EXPECT_TRUE(test::equal_bits(read, deep)) << channels;
  }
}

TEST(PictureModes, JpegAndWebpKeepWhatTheyCan) {
  EXPECT_EQ(stored(noise({8, 8, 1}), ImageFormat::jpeg).shape(), (Shape{8, 8, 1}));
  const Tensor rgba = noise({5, 7, 4}), gray_alpha = noise({5, 7, 2});
  EXPECT_TRUE(test::equal_bits(stored(rgba, ImageFormat::webp, {.lossless = true}), rgba));
  EXPECT_TRUE(test::equal_bits(stored(gray_alpha, ImageFormat::webp, {.lossless = true}),
                               to_rgb(gray_alpha)));
}

// Without `native`, everything is as ever.
TEST(PictureModes, OtherReadersGetRgbOfEightBits) {
  for (const std::int64_t channels : {1, 2, 3, 4}) {
    const Tensor picture = noise({5, 7, channels});
    const Tensor image = decode(encode(picture, ImageFormat::png, {}));
    EXPECT_TRUE(test::equal_bits(image, on_white(to_rgb(picture))));
    EXPECT_TRUE(test::equal_bits(decode(encode(to_32_bits(picture), ImageFormat::png, {})), image));
  }
}

TEST(PictureModes, AnAlphaThatIsOpaqueEverywhereIsLeftOut) {
  Tensor picture = noise({5, 7, 4});
  for (std::int64_t i = 3; i < picture.numel(); i += 4) picture.data<std::uint8_t>()[i] = 255;
  EXPECT_TRUE(test::equal_bits(stored(picture, ImageFormat::png), first_channels(picture, 3)));
}

TEST(PictureModes, MemoryForReadingIsLimited) {
  const Bytes gray = encode(noise({100, 100, 1}), ImageFormat::png, {});
  EXPECT_NO_THROW(decode(gray, {.max_bytes = 30'000}));
  EXPECT_NE(test::error_of([&] {
              decode(gray, {.max_bytes = 29'999});
            }).find("takes 1M of memory to read, and the memory limit leaves 0M"),
            std::string::npos);
  const Bytes deep = encode(to_32_bits(noise({100, 100, 1})), ImageFormat::png, {});
  EXPECT_NO_THROW(decode(deep, {.max_bytes = 180'000, .native = true}));
  EXPECT_THROW(decode(deep, {.max_bytes = 179'999, .native = true}), Error);
}

}  // namespace
}  // namespace mini::io
