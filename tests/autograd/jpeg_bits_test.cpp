// jpeg_bits against the files that the encoder writes.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <gtest/gtest.h>
#include <iostream>

#include "autograd/engine.h"
#include "autograd/functions.h"
#include "io/image.h"
#include "tests/support/support.h"

namespace mini {
namespace {

// The bits of a file that has hardly any pixels.
double header_bits() {
  const Tensor grey = Tensor::full({16, 16, 3}, 128, DType::uint8);
  return 8.0 * static_cast<double>(io::encode(grey, io::ImageFormat::jpeg, 90).size());
}

TEST(JpegBits, FollowTheSizesOfFiles) {
  std::vector<double> estimated, written;
  const std::filesystem::path photos =
      std::filesystem::path(MINI_SOURCE_DIR) / "data/photos/held_out";
  for (const auto& file : std::filesystem::directory_iterator(photos)) {
    if (!io::has_image_name(file.path())) continue;
    // What mini compresses: small images, which are richer in detail than large ones.
    const Tensor image =
        io::to_image(resize_bicubic(io::to_float(io::read_image(file.path())), 0.5));
    for (const int quality : {30, 50, 70, 80, 90}) {
      estimated.push_back(jpeg_bits(io::to_float(image), quality).item());
      written.push_back(
          8.0 * static_cast<double>(io::encode(image, io::ImageFormat::jpeg, quality).size()) -
          header_bits());
    }
  }
  ASSERT_EQ(estimated.size(), 25u);
  double xy = 0, xx = 0, yy = 0, mean_x = 0, mean_y = 0, error = 0;
  const auto count = static_cast<double>(estimated.size());
  for (std::size_t i = 0; i < estimated.size(); ++i) {
    mean_x += estimated[i] / count;
    mean_y += written[i] / count;
    error += std::abs(estimated[i] / written[i] - 1) / count;
  }
  for (std::size_t i = 0; i < estimated.size(); ++i) {
    xy += (estimated[i] - mean_x) * (written[i] - mean_y);
    xx += (estimated[i] - mean_x) * (estimated[i] - mean_x);
    yy += (written[i] - mean_y) * (written[i] - mean_y);
  }
  EXPECT_GT(xy / std::sqrt(xx * yy), 0.995);
  EXPECT_LT(error, 0.06);
  std::cout << "correlation " << xy / std::sqrt(xx * yy) << ", mean relative error " << error
            << '\n';
}

// What a training step does with it: the bits fall, and so does the size of the file.
TEST(JpegBits, AStepAgainstTheirGradientShrinksTheFile) {
  Tensor x = io::to_float(
      io::read_image(std::filesystem::path(MINI_SOURCE_DIR) / "data/photos/held_out/coffee.png"));
  x.set_requires_grad();
  const Tensor slope = grad({sum(jpeg_bits(x, 75))}, {x})[0];
  double steepest = 0;
  for (const double value : slope.to_vector()) steepest = std::max(steepest, std::abs(value));
  const Tensor smaller = x.detach() - slope * (2.0 / 255 / steepest);  // by two levels at most
  const auto size = [](const Tensor& image) {
    return io::encode(io::to_image(image), io::ImageFormat::jpeg, 75).size();
  };
  EXPECT_LT(jpeg_bits(smaller, 75).item(), jpeg_bits(x.detach(), 75).item());
  EXPECT_LT(size(smaller), size(x.detach()));
}

}  // namespace
}  // namespace mini
