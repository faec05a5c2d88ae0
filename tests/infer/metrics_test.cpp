#include "infer/metrics.h"

#include <cmath>
#include <limits>

#include "tensor/parallel.h"
#include "tensor/random.h"
#include "tensor/view.h"
#include "tests/support/support.h"

namespace mini::infer {
namespace {

Tensor noise_image(std::int64_t height, std::int64_t width, std::uint64_t seed) {
  Generator generator{seed};
  Tensor image = Tensor::empty({height, width, 3}, DType::uint8);
  for (std::int64_t i = 0; i < image.numel(); ++i)
    image.data<std::uint8_t>()[i] = static_cast<std::uint8_t>(generator.next_below(256));
  return image;
}

// SSIM by its definition: the 2-D window at every position, variances about the mean.
double plain_ssim(const Tensor& a, const Tensor& b, int channel) {
  const std::int64_t height = a.size(0), width = a.size(1);
  const auto at = [&](const Tensor& image, std::int64_t y, std::int64_t x) {
    return double(image.data<std::uint8_t>()[(y * width + x) * 3 + channel]);
  };
  double weights = 0;
  for (int i = -5; i <= 5; ++i)
    for (int j = -5; j <= 5; ++j) weights += std::exp(-(i * i + j * j) / 4.5);
  double total = 0;
  for (std::int64_t y = 5; y < height - 5; ++y)
    for (std::int64_t x = 5; x < width - 5; ++x) {
      const auto mean = [&](const auto& value) {
        double sum = 0;
        for (int i = -5; i <= 5; ++i)
          for (int j = -5; j <= 5; ++j)
            sum += std::exp(-(i * i + j * j) / 4.5) / weights * value(y + i, x + j);
        return sum;
      };
      const double ma = mean([&](auto i, auto j) { return at(a, i, j); });
      const double mb = mean([&](auto i, auto j) { return at(b, i, j); });
      const double va = mean([&](auto i, auto j) { return std::pow(at(a, i, j) - ma, 2); });
      const double vb = mean([&](auto i, auto j) { return std::pow(at(b, i, j) - mb, 2); });
      const double ab =
          mean([&](auto i, auto j) { return (at(a, i, j) - ma) * (at(b, i, j) - mb); });
      total += (2 * ma * mb + 6.5025) * (2 * ab + 58.5225) /
               ((ma * ma + mb * mb + 6.5025) * (va + vb + 58.5225));
    }
  return total / static_cast<double>((height - 10) * (width - 10));
}

TEST(Psnr, OfKnownDifferences) {
  const Tensor black = Tensor::zeros({4, 5, 3}, DType::uint8);
  const Tensor gray = Tensor::full({4, 5, 3}, 51, DType::uint8);
  EXPECT_NEAR(psnr(black, gray, Colour::rgb), 20 * std::log10(5.0), 1e-12);
  // Y of a grey level g is 16 + 219·g/255.
  EXPECT_NEAR(psnr(black, gray, Colour::y), 20 * std::log10(255 / 43.8), 1e-12);
  EXPECT_EQ(psnr(gray, gray, Colour::y), std::numeric_limits<double>::infinity());
}

TEST(Psnr, LeavesTheBorderOut) {
  const Tensor a = noise_image(9, 7, 1), b = noise_image(9, 7, 2);
  const auto inner = [](const Tensor& x) { return ops::narrow(ops::narrow(x, 0, 2, 5), 1, 2, 3); };
  for (const Colour colour : {Colour::rgb, Colour::y})
    EXPECT_EQ(psnr(a, b, colour, 2), psnr(inner(a), inner(b), colour));
}

TEST(Ssim, FollowsItsDefinition) {
  const Tensor a = noise_image(17, 13, 1), b = noise_image(17, 13, 2);
  double sum = 0;
  for (int c = 0; c < 3; ++c) sum += plain_ssim(a, b, c);
  EXPECT_NEAR(ssim(a, b, Colour::rgb), sum / 3, 1e-12);
  EXPECT_DOUBLE_EQ(ssim(a, a, Colour::y), 1);
}

TEST(Metrics, AreTheSameAtAnyThreadCount) {
  const Tensor a = noise_image(90, 70, 1), b = noise_image(90, 70, 2);
  const int threads = max_threads();
  set_threads(1);
  const double psnr_one = psnr(a, b, Colour::rgb), ssim_one = ssim(a, b, Colour::y);
  set_threads(3);
  EXPECT_EQ(psnr(a, b, Colour::rgb), psnr_one);
  EXPECT_EQ(ssim(a, b, Colour::y), ssim_one);
  set_threads(threads);
}

TEST(Metrics, RefuseWhatDoesNotFit) {
  const Tensor a = noise_image(12, 14, 1);
  EXPECT_EQ(test::error_of([&] { psnr(a, noise_image(14, 12, 1), Colour::y); }),
            "psnr: images of different size, [12,14,3] and [14,12,3]");
  EXPECT_EQ(test::error_of([&] { ssim(a, a, Colour::y, 1); }),
            "ssim: an image of 14x12 is too small; at least 11 pixels a side must be left inside a "
            "border of 1");
  const Tensor floats = Tensor::zeros({12, 14, 3});
  EXPECT_EQ(test::error_of([&] { psnr(floats, floats, Colour::y); }),
            "psnr: an image is uint8 [H,W,3], got float32[12,14,3]");
}

}  // namespace
}  // namespace mini::infer
