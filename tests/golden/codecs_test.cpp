// JPEG and WebP against Pillow with the same libraries: file sizes and decoded pixels must be
// equal.
#include <gtest/gtest.h>
#include <string>

#include "io/image.h"
#include "io/safetensors.h"
#include "tests/support/support.h"

namespace mini {
namespace {

TEST(GoldenCodecs, SizesAndPixelsAreEqual) {
  const auto folder = test::golden_folder();
  if (!folder) GTEST_SKIP() << "no golden folder";
  const io::TensorFile golden = io::read_safetensors(*folder / "codecs.safetensors");
  int compared = 0;
  // Keys: IMAGE.FORMAT.qQUALITY.decoded and ….bytes
  for (const auto& [key, decoded] : golden.tensors) {
    const std::string suffix = ".decoded";
    if (!key.ends_with(suffix)) continue;
    const std::string stem = key.substr(0, key.size() - suffix.size());
    const std::size_t first = stem.find('.'), second = stem.find(".q", first);
    ASSERT_NE(second, std::string::npos) << key;
    const Tensor image = golden.tensors.at(stem.substr(0, first));
    const auto format = io::parse_image_format(stem.substr(first + 1, second - first - 1));
    const int quality = std::stoi(stem.substr(second + 2));
    const io::Bytes file = io::encode(image, format, quality);
    EXPECT_EQ(static_cast<double>(file.size()), golden.tensors.at(stem + ".bytes").item()) << stem;
    EXPECT_TRUE(test::equal_bits(io::decode(file), decoded)) << stem;

    const io::CodecResult batch =
        io::codec_roundtrip_with_sizes(io::to_float(image, DType::float64), format, quality);
    EXPECT_TRUE(test::equal_bits(batch.images, io::to_float(decoded, DType::float64))) << stem;
    EXPECT_EQ(batch.sizes.at(0), static_cast<std::int64_t>(file.size())) << stem;
    ++compared;
  }
  EXPECT_GT(compared, 0);
}

}  // namespace
}  // namespace mini
