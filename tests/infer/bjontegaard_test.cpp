// BD-rate and BD-PSNR against values that SciPy 1.17's PchipInterpolator and its integral gave.
#include "infer/bjontegaard.h"

#include <gtest/gtest.h>
#include <vector>

namespace mini::infer {
namespace {

using Curve = std::vector<RatePoint>;
const Curve one{{0.2, 30.1}, {0.31, 32.4}, {0.55, 34.0}, {0.9, 35.6}, {1.4, 36.1}},
    two{{0.25, 29.5}, {0.4, 31.2}, {0.6, 32.9}, {1.0, 34.8}},
    kinked{{0.1, 28.0}, {0.2, 28.05}, {0.3, 33.0}, {0.8, 33.1}, {2.0, 39.0}};

TEST(Bjontegaard, AgreesWithSciPy) {
  EXPECT_NEAR(bd_rate(one, two).value(), -37.57099089099447, 1e-9);
  EXPECT_NEAR(bd_psnr(one, two).value(), 1.6582092051822186, 1e-9);
  EXPECT_NEAR(bd_rate(two, kinked).value(), 22.039216175068944, 1e-9);
  EXPECT_NEAR(bd_psnr(two, kinked).value(), -0.8432527824606109, 1e-9);
  EXPECT_NEAR(bd_rate(kinked, one).value(), 39.545773500082284, 1e-9);
  EXPECT_NEAR(bd_psnr(kinked, one).value(), -1.0094166188257885, 1e-9);
}

// Half the bits for the same PSNR is a rate of -50 %, whatever the curve.
TEST(Bjontegaard, IsWhatItSays) {
  Curve halved = one, better = one;
  for (RatePoint& point : halved) point.bits /= 2;
  for (RatePoint& point : better) point.psnr += 0.7;
  EXPECT_NEAR(bd_rate(halved, one).value(), -50, 1e-10);
  EXPECT_NEAR(bd_psnr(better, one).value(), 0.7, 1e-10);
  EXPECT_NEAR(bd_rate(one, one).value(), 0, 1e-10);
  const Curve reversed(one.rbegin(), one.rend());
  EXPECT_DOUBLE_EQ(bd_rate(reversed, two).value(), bd_rate(one, two).value());
}

TEST(Bjontegaard, NeedsCurvesThatCanBeCompared) {
  const Curve short_one(one.begin(), one.begin() + 3);
  EXPECT_FALSE(bd_rate(short_one, two).has_value());
  Curve falling = one;
  falling[2].psnr = 31;
  EXPECT_FALSE(bd_rate(falling, two).has_value());
  EXPECT_FALSE(bd_psnr(two, falling).has_value());
  Curve far_better = one, far_larger = one;
  for (RatePoint& point : far_better) point.psnr += 50;
  for (RatePoint& point : far_larger) point.bits *= 50;
  EXPECT_FALSE(bd_rate(far_better, two).has_value());
  EXPECT_TRUE(bd_psnr(far_better, two).has_value());
  EXPECT_FALSE(bd_psnr(far_larger, two).has_value());
}

}  // namespace
}  // namespace mini::infer
