// Filters and resizing against PyTorch and StyleGAN2's official code.
#include "autograd/engine.h"
#include "tests/golden/file.h"

namespace mini {
namespace {

using GoldenFir = test::GoldenTest;

TEST_P(GoldenFir, UpFirDnMatchesStyleGan2) {
  const test::GoldenFile golden("upfirdn2d", GetParam());
  for (int i = 0; i < 8; ++i) {
    const std::string name = concat_text("c", i, ".");
    const auto p = golden.expected(name + "up_down_pad").to_vector();
    const auto before = static_cast<std::int64_t>(p[2]), after = static_cast<std::int64_t>(p[3]);
    const FirParams params{static_cast<std::int64_t>(p[0]),
                           static_cast<std::int64_t>(p[1]),
                           {.left = before, .right = after, .top = before, .bottom = after}};
    const Tensor x = golden.stored(name + "x");
    const Tensor y = upfirdn2d(x, golden.stored(name + "k").detach(), params);
    golden.compare(y, name + "out");
    backward(test::probe_loss(y, concat_text("p", i)));
    golden.compare(x.grad(), name + "grad");
  }
}

TEST_P(GoldenFir, InterpolationMatchesPyTorch) {
  const test::GoldenFile golden("interpolate", GetParam());
  const Tensor x = golden.stored("x");
  golden.compare(resize_bilinear(x, 16, 16), "bilinear_16x16");
  golden.compare(resize_bilinear(x, 48, 61), "bilinear_48x61");
  golden.compare(upsample_nearest(x, 4), "nearest_x4");
  golden.compare(adaptive_avg_pool2d(x, 7, 5), "adaptive_avg_7x5");
}

INSTANTIATE_TEST_SUITE_P(Types, GoldenFir, test::golden_types(), test::golden_type_name);

}  // namespace
}  // namespace mini
