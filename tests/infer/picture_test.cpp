#include "infer/picture.h"

#include "tests/support/support.h"

namespace mini::infer {
namespace {

// The colour of pixel (y, x) is (y, x, 7).
Tensor coordinates(std::int64_t height, std::int64_t width) {
  std::vector<std::uint8_t> values;
  for (std::int64_t y = 0; y < height; ++y)
    for (std::int64_t x = 0; x < width; ++x)
      for (const std::int64_t value : {y, x, std::int64_t{7}})
        values.push_back(static_cast<std::uint8_t>(value));
  return Tensor::from(values, {height, width, 3});
}

std::vector<int> pixel(const Tensor& image, std::int64_t y, std::int64_t x) {
  const std::uint8_t* at = image.data<std::uint8_t>() + (y * image.size(1) + x) * 3;
  return {at[0], at[1], at[2]};
}

TEST(Picture, EnlargeRepeatsPixels) {
  const Tensor large = enlarge(coordinates(2, 3), 4);
  ASSERT_EQ(large.shape(), Shape({8, 12, 3}));
  for (std::int64_t y = 0; y < 8; ++y)
    for (std::int64_t x = 0; x < 12; ++x)
      EXPECT_EQ(pixel(large, y, x), (std::vector<int>{int(y / 4), int(x / 4), 7}));
}

TEST(Picture, CropsTheMiddle) {
  const Tensor middle = crop_middle(coordinates(9, 21), 10, 4);
  ASSERT_EQ(middle.shape(), Shape({8, 8, 3}));
  EXPECT_EQ(pixel(middle, 0, 0), (std::vector<int>{0, 6, 7}));
  EXPECT_EQ(pixel(middle, 7, 7), (std::vector<int>{7, 13, 7}));
}

TEST(Picture, SideBySideWithAWhiteGap) {
  const Tensor images[] = {coordinates(2, 3), coordinates(4, 2)};
  const Tensor row = side_by_side(images, 2);
  ASSERT_EQ(row.shape(), Shape({4, 3 + 2 + 2, 3}));
  const std::vector<int> white{255, 255, 255};
  EXPECT_EQ(pixel(row, 1, 2), (std::vector<int>{1, 2, 7}));
  EXPECT_EQ(pixel(row, 2, 2), white);
  EXPECT_EQ(pixel(row, 1, 3), white);
  EXPECT_EQ(pixel(row, 3, 4), white);
  EXPECT_EQ(pixel(row, 3, 6), (std::vector<int>{3, 1, 7}));
}

TEST(Picture, DifferenceIsTheMeanOfTheChannels) {
  const Tensor a = Tensor::from(std::vector<std::uint8_t>{10, 20, 30, 0, 0, 0}, {1, 2, 3});
  const Tensor b = Tensor::from(std::vector<std::uint8_t>{13, 20, 24, 255, 200, 0}, {1, 2, 3});
  EXPECT_EQ(difference_map(a, b, 8).to_vector(), (std::vector<double>{24, 24, 24, 255, 255, 255}));
}

TEST(Picture, WrongImagesAreRefused) {
  EXPECT_EQ(test::error_of([] {
              enlarge(Tensor::ones({2, 2, 3}), 2);
            }),
            "enlarge: an image is uint8 [H,W,3], got float32[2,2,3]");
  EXPECT_EQ(test::error_of([] { side_by_side({}); }), "side_by_side: needs at least one image");
}

}  // namespace
}  // namespace mini::infer
