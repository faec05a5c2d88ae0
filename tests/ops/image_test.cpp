// Padding, Haar and resizing against plain loops and identities.
#include "ops/image.h"

#include <cmath>
#include <gtest/gtest.h>
#include <vector>

#include "ops/elementwise.h"
#include "ops/reduce.h"
#include "tensor/parallel.h"
#include "tensor/random.h"
#include "tensor/view.h"
#include "tests/support/support.h"

namespace mini {
namespace {

Tensor random(const Shape& shape, std::uint64_t seed = 1, DType dtype = DType::float64) {
  Generator generator{seed, 0};
  return ops::normal(generator, shape, dtype);
}

double dot(const Tensor& a, const Tensor& b) { return ops::sum(ops::mul(a, b)).item(); }

TEST(Pad2d, ShowsTheRightPixels) {
  const Tensor x = Tensor::from(std::vector<double>{1, 2, 3, 4, 5, 6}, {1, 1, 2, 3});
  const Padding2d padding{2, 1, 1, 0};
  EXPECT_EQ(ops::pad2d(x, padding, PadMode::zero).to_vector(),
            (std::vector<double>{0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 0, 0, 0, 4, 5, 6, 0}));
  EXPECT_EQ(ops::pad2d(x, padding, PadMode::replicate).to_vector(),
            (std::vector<double>{1, 1, 1, 2, 3, 3, 1, 1, 1, 2, 3, 3, 4, 4, 4, 5, 6, 6}));
  EXPECT_EQ(ops::pad2d(x, padding, PadMode::reflect).to_vector(),
            (std::vector<double>{6, 5, 4, 5, 6, 5, 3, 2, 1, 2, 3, 2, 6, 5, 4, 5, 6, 5}));
}

TEST(Pad2d, AdjointIsTheAdjoint) {
  for (const PadMode mode : {PadMode::zero, PadMode::reflect, PadMode::replicate})
    for (const Padding2d padding : {Padding2d{}, Padding2d{3, 0, 1, 2}, Padding2d{4, 4, 3, 3}}) {
      const Tensor x = ops::channels_last(random({2, 3, 4, 5}));
      const Tensor padded = ops::pad2d(x, padding, mode);
      const Tensor y = random(padded.shape(), 2);
      EXPECT_NEAR(dot(padded, y), dot(x, ops::pad2d_adjoint(y, padding, mode)), 1e-12);
    }
}

TEST(Pad2d, SaysWhatIsTooSmall) {
  const Tensor x = Tensor::ones({1, 1, 3, 3});
  EXPECT_EQ(test::error_of([&] {
              ops::pad2d(x, {0, 3, 0, 0}, PadMode::reflect);
            }),
            "pad2d: [1,1,3,3] is too small to reflect 0 rows and 3 columns");
  EXPECT_NE(test::error_of([&] {
              ops::pad2d(x, {-1, 0, 0, 0}, PadMode::zero);
            }).find("narrow"),
            std::string::npos);
  EXPECT_NE(test::error_of([&] {
              ops::pad2d_adjoint(x, {2, 2, 0, 0}, PadMode::zero);
            }).find("smaller than its padding"),
            std::string::npos);
}

TEST(Haar, HasTheBandsOfItsDefinition) {
  const Tensor x = random({2, 3, 4, 6});
  const Tensor y = ops::haar(ops::channels_last(x));
  ASSERT_EQ(y.shape(), Shape({2, 12, 2, 3}));
  const double signs[4][4] = {{1, 1, 1, 1}, {1, -1, 1, -1}, {1, 1, -1, -1}, {1, -1, -1, 1}};
  const double* in = x.data<double>();
  const double* out = y.data<double>();
  for (int n = 0; n < 2; ++n)
    for (int k = 0; k < 4; ++k)
      for (int c = 0; c < 3; ++c)
        for (int i = 0; i < 2; ++i)
          for (int j = 0; j < 3; ++j) {
            double expected = 0;
            for (int p = 0; p < 4; ++p)
              expected +=
                  signs[k][p] / 4 * in[((n * 3 + c) * 4 + 2 * i + p / 2) * 6 + 2 * j + p % 2];
            EXPECT_NEAR(out[((n * 12 + k * 3 + c) * 2 + i) * 3 + j], expected, 1e-15);
          }
  EXPECT_LT(test::max_difference(ops::haar_inverse(y), x), 1e-15);
}

TEST(Haar, InverseIsFourTimesTheAdjoint) {
  const Tensor x = random({2, 3, 4, 6}), y = random({2, 12, 2, 3}, 2);
  EXPECT_NEAR(4 * dot(ops::haar(x), y), dot(x, ops::haar_inverse(y)), 1e-12);
  EXPECT_NE(test::error_of([] {
              ops::haar(Tensor::ones({1, 1, 3, 4}));
            }).find("even"),
            std::string::npos);
  EXPECT_NE(test::error_of([] {
              ops::haar_inverse(Tensor::ones({1, 6, 3, 4}));
            }).find("4C"),
            std::string::npos);
}

TEST(LinearMap, IsAMatrixProductAlongAnyDimension) {
  const LinearMap map = ops::bicubic_map(7, 0.6);
  for (const Shape& shape : {Shape{7, 2, 3}, Shape{2, 7, 130}, Shape{67, 3, 7}})
    for (int dim = 0; dim < 3; ++dim) {
      if (shape[dim] != 7) continue;
      const Tensor x = random(shape);
      const Tensor y = ops::linear_map(x, map, dim);
      const Shape in = contiguous_strides(x.shape()), out = contiguous_strides(y.shape());
      for (std::int64_t i = 0; i < y.numel(); ++i) {
        const std::int64_t row = i / out[dim] % y.shape()[dim];
        const std::int64_t start = i / (out[dim] * y.shape()[dim]) * in[dim] * 7 + i % out[dim];
        double expected = 0;
        for (auto t = static_cast<std::size_t>(map.first[static_cast<std::size_t>(row)]);
             t < static_cast<std::size_t>(map.first[static_cast<std::size_t>(row) + 1]); ++t)
          expected += map.weight[t] * x.data<double>()[start + map.source[t] * in[dim]];
        EXPECT_NEAR(y.data<double>()[i], expected, 1e-14);
      }
      const Tensor z = random(y.shape(), 2);
      EXPECT_NEAR(dot(y, z), dot(x, ops::linear_map(z, map.transposed(), dim)), 1e-12);
    }
}

TEST(BicubicMap, KeepsConstantsAndLines) {
  for (const double scale : {0.25, 0.5, 0.37, 1.0, 2.0, 3.3}) {
    const LinearMap map = ops::bicubic_map(40, scale);
    EXPECT_EQ(map.output_size(), static_cast<std::int64_t>(std::ceil(40 * scale)));
    for (std::size_t i = 0; i + 1 < map.first.size(); ++i) {
      double total = 0, position = 0;
      bool mirrored = false;
      for (auto t = static_cast<std::size_t>(map.first[i]);
           t < static_cast<std::size_t>(map.first[i + 1]); ++t) {
        total += map.weight[t];
        position += map.weight[t] * static_cast<double>(map.source[t]);
        mirrored = mirrored || map.source[t] == 0 || map.source[t] == 39;
      }
      EXPECT_NEAR(total, 1, 1e-14);
      // Weights are symmetric at integer and halved scales, so away from the border a line stays a
      // line.
      const double centre = (static_cast<double>(i) + 0.5) / scale - 0.5;
      if (!mirrored && scale != 0.37) {
        EXPECT_NEAR(position, centre, 1e-12) << scale << " " << i;
      }
    }
  }
  EXPECT_NE(test::error_of([] { ops::bicubic_map(4, 0); }).find("scale"), std::string::npos);
}

TEST(LinearMap, HasTheSameBitsAtAnyThreadCount) {
  const Tensor x = random({1, 3, 70, 90}, 1, DType::float32);
  const LinearMap across = ops::bicubic_map(90, 0.5), down = ops::bicubic_map(70, 0.5);
  const int before = max_threads();
  std::vector<Tensor> results;
  for (const int threads : {1, 2, 3}) {
    set_threads(threads);
    results.push_back(ops::linear_map(ops::linear_map(x, across, 3), down, 2));
  }
  set_threads(before);
  for (const Tensor& result : results) EXPECT_TRUE(test::equal_bits(result, results[0]));
}

}  // namespace
}  // namespace mini
