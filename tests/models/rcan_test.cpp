// RCAN: parameter counts, sizes, names of the weights, errors.
#include "models/upscale/rcan.h"

#include "tests/models/upscaler.h"

namespace mini {
namespace {

using models::Rcan, models::RcanOptions;

constexpr RcanOptions small{.groups = 2, .blocks = 2, .features = 4, .reduction = 2};

TEST(Rcan, HasThePublishedNumbersOfParameters) {
  EXPECT_EQ(test::parameter_count<Rcan>(RcanOptions{.scale = 2}), 15'444'643);
  EXPECT_EQ(test::parameter_count<Rcan>(RcanOptions{.scale = 3}), 15'629'283);
  EXPECT_EQ(test::parameter_count<Rcan>(RcanOptions{.scale = 4}), 15'592'355);
}

TEST(Rcan, EnlargesAndTrainsEveryParameter) {
  for (const std::int64_t scale : {1, 2, 3, 4}) {
    RcanOptions options = small;
    options.scale = scale;
    test::expect_scale<Rcan>(options, scale);
  }
  test::expect_all_gradients<Rcan>(small, {1, 3, 4, 4});
}

TEST(Rcan, ReadsTheNamesOfBasicSr) {
  test::expect_basicsr_loads<Rcan>(small, Rcan::basicsr_keys(2, 2),
                                   "body.1.body.0.body.3.conv_du.2.bias",
                                   "body.1.residual_group.0.rcab.3.attention.3.bias");
  test::expect_basicsr_loads<Rcan>(small, Rcan::basicsr_keys(2, 2), "body.1.body.2.bias",
                                   "body.1.conv.bias");
}

TEST(Rcan, SaysWhichOptionIsWrong) {
  Generator generator{1};
  EXPECT_EQ(test::error_of([&] { Rcan({.features = 8}, generator); }),
            "rcan: 8 features cannot be reduced by 16");
}

}  // namespace
}  // namespace mini
