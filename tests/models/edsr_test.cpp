// EDSR: parameter counts, sizes, names of the weights, errors.
#include "models/upscale/edsr.h"

#include "tests/models/upscaler.h"

namespace mini {
namespace {

using models::Edsr, models::EdsrOptions;

constexpr EdsrOptions small{.blocks = 2, .features = 4};

TEST(Edsr, HasThePublishedNumbersOfParameters) {
  const auto count = [](std::int64_t scale, bool baseline) {
    EdsrOptions options{.scale = scale};
    if (baseline) options = {.scale = scale, .blocks = 16, .features = 64, .residual_scale = 1};
    return test::parameter_count<Edsr>(options);
  };
  EXPECT_EQ(count(2, true), 1'369'859);
  EXPECT_EQ(count(3, true), 1'554'499);
  EXPECT_EQ(count(4, true), 1'517'571);
  EXPECT_EQ(count(2, false), 40'729'603);
  EXPECT_EQ(count(3, false), 43'680'003);
  EXPECT_EQ(count(4, false), 43'089'923);
}

TEST(Edsr, EnlargesAndTrainsEveryParameter) {
  for (const std::int64_t scale : {1, 2, 3, 4, 8})
    test::expect_scale<Edsr>(EdsrOptions{.scale = scale, .blocks = 1, .features = 4}, scale);
  test::expect_all_gradients<Edsr>(small, {1, 3, 4, 4});
}

TEST(Edsr, ReadsTheNamesOfBasicSr) {
  test::expect_basicsr_loads<Edsr>(small, Edsr::basicsr_keys(2), "body.1.body.2.weight",
                                   "body.1.conv2.weight");
  test::expect_basicsr_loads<Edsr>(small, Edsr::basicsr_keys(2), "body.2.weight",
                                   "conv_after_body.weight");
}

TEST(Edsr, SaysWhichOptionIsWrong) {
  Generator generator{1};
  EXPECT_EQ(test::error_of([&] { Edsr({.scale = 6, .blocks = 1, .features = 4}, generator); }),
            "edsr: scale must be 1, 2, 3, 4 or 8, got 6");
  EXPECT_EQ(test::error_of([&] { Edsr({.blocks = 0}, generator); }),
            "edsr: needs at least one block, got 0");
}

}  // namespace
}  // namespace mini
