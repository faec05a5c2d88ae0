// The bicubic rows of the published evaluation. They test codec, resize and metrics together,
// without any weights.
#include "infer/evaluate.h"
#include "tests/support/support.h"

namespace mini {
namespace {

void expect_psnr(const char* set, double at_30, double at_90) {
  const auto shared = test::shared_folder();
  if (!shared) GTEST_SKIP() << "no shared folder (set MINI_SHARED)";
  const auto scaler = infer::bicubic_scaler(2);
  const auto table = infer::evaluate({scaler.get()}, {*shared / "data" / set},
                                     {.qualities = {30, 90}, .crop_multiple = 12});
  EXPECT_NEAR(table.rows[0].mean.psnr_y, at_30, 0.02);
  EXPECT_NEAR(table.rows[1].mean.psnr_y, at_90, 0.02);
}

TEST(GoldenBicubic, Set5) { expect_psnr("Set5", 29.754, 32.977); }
TEST(GoldenBicubic, Set14) { expect_psnr("Set14", 27.562, 29.943); }

}  // namespace
}  // namespace mini
