#include "ops/math.h"

#include <bit>
#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <vector>

namespace mini {
namespace {

// The error of `got` in units in the last place.
double ulps(float got, double expected) {
  const auto near = static_cast<float>(expected);
  const double unit = static_cast<double>(std::nextafter(std::abs(near), INFINITY)) -
                      static_cast<double>(std::abs(near));
  return std::abs(static_cast<double>(got) - expected) / unit;
}

TEST(MathExp, IsAccurateOverTheWholeRange) {
  double worst = 0;
  for (int i = -103 * 4096; i <= 88 * 4096; ++i) {
    const float x = static_cast<float>(i) / 4096.0f + 1.7e-5f;
    worst = std::max(worst, ulps(math::exp(x), std::exp(static_cast<double>(x))));
  }
  EXPECT_LT(worst, 1.1);
  EXPECT_EQ(math::exp(0.0f), 1.0f);
}

TEST(MathExp, HandlesTheEdges) {
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(math::exp(infinity), infinity);
  EXPECT_EQ(math::exp(-infinity), 0.0f);
  EXPECT_EQ(math::exp(88.8f), infinity);
  EXPECT_EQ(math::exp(-104.1f), 0.0f);
  EXPECT_LT(math::exp(88.72f), infinity);
  EXPECT_GT(math::exp(-103.0f), 0.0f);
  EXPECT_TRUE(std::isnan(math::exp(std::numeric_limits<float>::quiet_NaN())));
}

TEST(MathExp, HasTheSameBitsInVectorAndScalarCode) {
  std::vector<float> x(1003), y(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i) * 0.19f - 101.0f;
  for (std::size_t i = 0; i < x.size(); ++i) y[i] = math::exp(x[i]);
  for (std::size_t i = 0; i < x.size(); ++i) {
    volatile float one = x[i];
    EXPECT_EQ(std::bit_cast<unsigned>(math::exp(one)), std::bit_cast<unsigned>(y[i]));
  }
}

}  // namespace
}  // namespace mini
