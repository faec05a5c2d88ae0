// PSNR and SSIM against values computed by the published evaluation.
#include "infer/metrics.h"

#include "io/safetensors.h"
#include "tests/support/support.h"

namespace mini {
namespace {

TEST(GoldenMetrics, PsnrAndSsimAreEqual) {
  const auto folder = test::golden_folder();
  if (!folder) GTEST_SKIP() << "no golden folder";
  const io::TensorFile golden = io::read_safetensors(*folder / "resize_metrics.safetensors");
  const Tensor a = golden.tensors.at("metric.a"), b = golden.tensors.at("metric.b");
  const auto expected = [&](const char* name) {
    return golden.tensors.at(std::string("metric.crop2.") + name).item();
  };
  EXPECT_NEAR(infer::psnr(a, b, infer::Colour::rgb, 2), expected("psnr_rgb"), 1e-6);
  EXPECT_NEAR(infer::psnr(a, b, infer::Colour::y, 2), expected("psnr_y"), 1e-6);
  EXPECT_NEAR(infer::ssim(a, b, infer::Colour::rgb, 2), expected("ssim_rgb"), 1e-9);
  EXPECT_NEAR(infer::ssim(a, b, infer::Colour::y, 2), expected("ssim_y"), 1e-9);
}

}  // namespace
}  // namespace mini
