// Pictures of every mode, made small and large.
#include "infer/any_picture.h"

#include <array>
#include <cmath>

#include "io/modes.h"
#include "tensor/random.h"
#include "tensor/view.h"
#include "tests/support/networks.h"
#include "tests/support/support.h"

namespace mini::infer {
namespace {

using models::Rescaling;

std::unique_ptr<models::Rescaler> small_network() {
  Generator generator{5};
  return test::make_network("sain", {.growth = 8}, generator);
}

Tensor noise(const Shape& shape) {
  Generator generator{7, 0};
  return io::to_8_bits(ops::uniform(generator, shape));
}

TEST(AnyPicture, KeepsModeAndDepth) {
  const auto network = small_network();
  const auto sain = network_scaler(*network), bicubic = bicubic_scaler(2);
  for (const std::int64_t channels : {1, 2, 3, 4})
    for (const Scaler* scaler : {sain.get(), bicubic.get()})
      for (const bool deep : {false, true}) {
        const Tensor eight = noise({9, 7, channels});
        const Tensor picture = deep ? io::to_32_bits(eight) : eight;
        const Tensor small = scale_picture(*scaler, picture, Rescaling::downscale);
        EXPECT_EQ(small.shape(), (Shape{5, 4, channels}));
        EXPECT_EQ(small.dtype(), picture.dtype());
        const Tensor large = scale_picture(*scaler, small, Rescaling::upscale);
        EXPECT_EQ(large.shape(), (Shape{10, 8, channels}));
        EXPECT_EQ(large.dtype(), picture.dtype());
      }
}

TEST(AnyPicture, OpaqueColoursAreThoseOfTheScaler) {
  const Tensor rgb = noise({8, 12, 3});
  const auto scaler = bicubic_scaler(2);
  EXPECT_TRUE(
      test::equal_bits(scale_picture(*scaler, rgb, Rescaling::upscale), scaler->upscale(rgb)));
  Tensor rgba = Tensor::full({8, 12, 4}, 255, DType::uint8);
  ops::copy(rgb, ops::narrow(rgba, 2, 0, 3));
  const Tensor large = scale_picture(*scaler, rgba, Rescaling::upscale);
  EXPECT_TRUE(test::equal_bits(io::first_channels(large, 3), scaler->upscale(rgb)));
  EXPECT_TRUE(io::is_opaque(large));
}

TEST(AnyPicture, GrayIsGrayAndWhiteStaysWhite) {
  const auto network = small_network();
  const auto scaler = network_scaler(*network);
  const Tensor gray = noise({8, 8, 1});
  EXPECT_TRUE(test::equal_bits(scale_picture(*scaler, gray, Rescaling::downscale),
                               io::to_gray(scaler->downscale(io::to_rgb(gray)))));
}

// Half of the picture is green, half is transparent and hides magenta: of that nothing is left,
// and the edge is as green as the rest.
TEST(AnyPicture, WhatIsHiddenNeverBecomesVisible) {
  Tensor picture = Tensor::zeros({24, 24, 4}, DType::uint8);
  auto* pixel = picture.data<std::uint8_t>();
  for (std::int64_t y = 0; y < 24; ++y)
    for (std::int64_t x = 0; x < 24; ++x, pixel += 4) {
      const bool seen = x + y < 23;
      const std::array<std::uint8_t, 4> colour = seen ? std::array<std::uint8_t, 4>{0, 200, 0, 255}
                                                      : std::array<std::uint8_t, 4>{255, 0, 255, 0};
      std::copy(colour.begin(), colour.end(), pixel);
    }
  const auto scaler = bicubic_scaler(2);
  for (const Rescaling way : {Rescaling::downscale, Rescaling::upscale}) {
    const Tensor result = scale_picture(*scaler, picture, way);
    const auto* p = result.data<std::uint8_t>();
    for (std::int64_t i = 0; i < result.numel(); i += 4) {
      ASSERT_EQ(p[i], 0);
      ASSERT_EQ(p[i + 2], 0);
      // Where anything is to be seen, it is the green of before.
      ASSERT_EQ(p[i + 1], p[i + 3] > 0 ? 200 : 0) << int{p[i + 3]};
    }
  }
}

TEST(Modes, GoIntoEachOther) {
  const Tensor rgba = Tensor::from(std::vector<double>{10, 20, 30, 0, 10, 20, 60, 255}, {1, 2, 4});
  const Tensor picture = ops::cast(rgba, DType::uint8);
  EXPECT_EQ(io::on_white(picture).to_vector(), (std::vector<double>{255, 255, 255, 10, 20, 60}));
  EXPECT_EQ(io::to_gray(picture).to_vector(), (std::vector<double>{20, 0, 30, 255}));
  EXPECT_EQ(io::to_rgb(io::to_gray(picture)).to_vector(),
            (std::vector<double>{20, 20, 20, 0, 30, 30, 30, 255}));
  EXPECT_FALSE(io::is_opaque(picture));
  EXPECT_TRUE(test::equal_bits(io::to_8_bits(io::to_32_bits(picture)), picture));
  EXPECT_EQ(test::error_of([] {
              io::check_picture(Tensor::zeros({2, 2, 5}), "f");
            }),
            "f: a picture is uint8 or float32 [H,W,1 to 4], got float32[2,2,5]");
}

TEST(AnySize, OfOneToFortyAndPrimesComesBack) {
  const auto network = small_network();
  const auto sain = network_scaler(*network), bicubic = bicubic_scaler(3);
  const auto comes_back = [](const Scaler& scaler, std::int64_t height, std::int64_t width) {
    const RoundTrip trip = round_trip(scaler, noise({height, width, 3}), io::ImageFormat::png, 75);
    return trip.hr.size(0) == height && trip.hr.size(1) == width;
  };
  for (std::int64_t height = 1; height <= 40; ++height)
    for (std::int64_t width = 1; width <= 40; ++width)
      ASSERT_TRUE(comes_back(*bicubic, height, width)) << height << ' ' << width;
  for (std::int64_t side = 1; side <= 40; ++side) {
    ASSERT_TRUE(comes_back(*sain, side, 41 - side));
    ASSERT_TRUE(comes_back(*sain, side, side));
  }
  for (const std::int64_t prime : {41, 43, 53, 61, 71, 83, 97, 101, 113, 127, 149, 163, 181}) {
    ASSERT_TRUE(comes_back(*sain, prime, 17));
    ASSERT_TRUE(comes_back(*bicubic, 19, prime));
  }
}

}  // namespace
}  // namespace mini::infer
