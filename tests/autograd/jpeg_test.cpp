#include <cmath>
#include <numbers>
#include <vector>

#include "autograd/functions.h"
#include "ops/functors_jpeg.h"
#include "tensor/parallel.h"
#include "tensor/view.h"
#include "tests/autograd/numeric_gradient.h"

namespace mini {
namespace {

// A smooth image with some noise; most values lie inside [0,1], a few outside.
Tensor picture(const Shape& shape, double noise = 0.1) {
  Tensor x = test::random(shape) * noise;
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    const auto column = static_cast<double>(i % shape[3]), row = static_cast<double>(i / shape[3]);
    x.data<double>()[i] += 0.5 + 0.4 * std::sin(0.37 * column + 0.21 * row);
  }
  return x;
}

TEST(SoftRound, IsNineTermsOfTheSawtooth) {
  for (int i = -4000; i <= 4000; ++i) {
    const double v = i * 0.00271;
    double value = v, slope = 1;
    for (int n = 1; n <= 9; ++n) {
      const double sign = n % 2 == 1 ? 1 : -1, angle = 2 * std::numbers::pi * n * v;
      value -= sign / (n * std::numbers::pi) * std::sin(angle);
      slope -= 2 * sign * std::cos(angle);
    }
    EXPECT_NEAR(functors::soft_round(v), value, 1e-13);
    EXPECT_NEAR(functors::soft_round_slope(v), slope, 1e-11);
    // Near halves the derivative of the slope by the cosine reaches 570 (Σ 2n²). So rounding the
    // cosine to float changes the fourth decimal of the slope.
    const auto single = static_cast<float>(v);
    const auto exact = static_cast<double>(single);
    EXPECT_NEAR(functors::soft_round(single), functors::soft_round(exact), 4e-6);
    EXPECT_NEAR(functors::soft_round_slope(single), functors::soft_round_slope(exact), 4e-4);
  }
  EXPECT_NEAR(functors::soft_round_slope(2.0), -1, 1e-12);
  EXPECT_NEAR(functors::soft_round_slope(2.5), 19, 1e-12);
}

// The fused kernels against the composition, which create_graph uses.
TEST(DiffJpeg, FusedGradientEqualsTheComposition) {
  for (const Shape& shape : {Shape{2, 3, 32, 16}, Shape{2, 3, 17, 30}, Shape{2, 3, 1, 5}})
    for (const double quality : {20.0, 75.0, 100.0}) {
      SCOPED_TRACE(concat_text(shape, " quality ", quality));
      Tensor x = picture(shape, 0.3);
      x.set_requires_grad();
      const Tensor dy = test::random(shape, 2);
      const double qualities[] = {quality, 40};
      const Tensor y = diff_jpeg(x, qualities);
      const Tensor fused = grad({y}, {x}, {dy}, {.retain_graph = true})[0];
      const Tensor composed = grad({y}, {x}, {dy}, {.create_graph = true})[0];
      EXPECT_LT(test::relative_error(fused, composed), 1e-9);
    }
}

TEST(DiffJpeg, GradientsMatchDifferences) {
  // Values lie inside [0,1], where the clamp has no kinks. Differences are not exact, because the
  // soft rounding is strongly curved.
  Tensor x = picture({1, 3, 3, 18}, 0.01);
  test::expect_gradients([](const Tensors& t) { return diff_jpeg(t[0] * 0.5 + 0.25, 60); }, {x},
                         true, 1e-5);
}

TEST(DiffJpeg, AtFullQualityKeepsSmoothChroma) {
  // Nothing is rounded, and a grey image has no chroma.
  const Tensor grey =
      ops::contiguous(ops::expand(clamp(picture({2, 1, 20, 33}), 0, 1), {2, 3, 20, 33}));
  EXPECT_LT(test::max_difference(diff_jpeg(grey, 100), grey), 1e-6);
}

TEST(DiffJpeg, TakesOneQualityPerImage) {
  const Tensor x = picture({2, 3, 16, 32});
  const double qualities[] = {30, 90};
  const Tensor both = diff_jpeg(x, qualities);
  for (int n = 0; n < 2; ++n)
    EXPECT_TRUE(test::equal_bits(ops::narrow(both, 0, n, 1),
                                 diff_jpeg(ops::narrow(x, 0, n, 1), qualities[n])));
}

TEST(DiffJpeg, PadsByRepeatingTheBorder) {
  const Tensor x = picture({1, 3, 21, 10});
  const Tensor padded = pad2d(x, {0, 6, 0, 11}, PadMode::replicate);
  const Tensor expected = ops::narrow(ops::narrow(diff_jpeg(padded, 50), 2, 0, 21), 3, 0, 10);
  EXPECT_TRUE(test::equal_bits(diff_jpeg(x, 50), expected));
}

TEST(DiffJpeg, HasTheSameBitsAtAnyThreadCount) {
  Tensor x = ops::cast(picture({3, 3, 40, 50}), DType::float32);
  x.set_requires_grad();
  const int before = max_threads();
  Tensors values, gradients;
  for (const int threads : {1, 2, 3}) {
    set_threads(threads);
    const Tensor y = diff_jpeg(x, 75);
    values.push_back(y);
    gradients.push_back(grad({y}, {x}, {ops::cast(test::random(x.shape()), DType::float32)})[0]);
  }
  set_threads(before);
  for (std::size_t i = 1; i < 3; ++i) {
    EXPECT_TRUE(test::equal_bits(values[i], values[0]));
    EXPECT_TRUE(test::equal_bits(gradients[i], gradients[0]));
  }
}

TEST(DiffJpeg, SaysWhatDoesNotFit) {
  const Tensor x = Tensor::ones({2, 3, 4, 4});
  EXPECT_EQ(test::error_of([&] { diff_jpeg(x, 0.5); }),
            "diff_jpeg: quality must be between 1 and 100, got 0.5");
  const double three[] = {10, 20, 30};
  EXPECT_EQ(test::error_of([&] { diff_jpeg(x, three); }),
            "diff_jpeg: 3 qualities for 2 images; give one for all or one for each");
  EXPECT_NE(test::error_of([] {
              diff_jpeg(Tensor::ones({1, 1, 4, 4}), 50);
            }).find("[N,3,H,W]"),
            std::string::npos);
}

}  // namespace
}  // namespace mini
