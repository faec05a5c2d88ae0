// RDN: parameter counts, sizes, names of the weights, errors.
#include "models/upscale/rdn.h"

#include "tests/models/upscaler.h"

namespace mini {
namespace {

using models::Rdn, models::RdnOptions;

TEST(Rdn, HasThePublishedNumbersOfParameters) {
  const auto count = [](std::int64_t scale, char configuration) {
    RdnOptions options{.scale = scale};
    if (configuration == 'A') options = {.scale = scale, .blocks = 20, .layers = 6, .growth = 32};
    return test::parameter_count<Rdn>(options);
  };
  EXPECT_EQ(count(2, 'A'), 5'541'795);
  EXPECT_EQ(count(3, 'A'), 5'634'115);
  EXPECT_EQ(count(4, 'A'), 5'578'787);
  EXPECT_EQ(count(2, 'B'), 22'123'395);
  EXPECT_EQ(count(3, 'B'), 22'308'035);
  EXPECT_EQ(count(4, 'B'), 22'271'107);
}

RdnOptions small(std::int64_t scale) {
  return {.scale = scale, .blocks = 2, .layers = 2, .growth = 4, .features = 4};
}

TEST(Rdn, EnlargesAndTrainsEveryParameter) {
  for (const std::int64_t scale : {1, 2, 3, 4, 8}) test::expect_scale<Rdn>(small(scale), scale);
  test::expect_all_gradients<Rdn>(small(2), {1, 3, 4, 4});
}

TEST(Rdn, TakesTheMeanColourAwayOnlyIfAsked) {
  Generator generator{1};
  RdnOptions options = small(2);
  const Rdn plain(options, generator);
  options.mean_shift = true;
  Rdn shifted(options, generator);
  shifted.load_state_dict(shifted.translate(plain.state_dict()));  // the mean is no part of it
  const Tensor x = Tensor::full({1, 3, 4, 4}, 0.5);
  const Tensor mean = Tensor::from(std::vector<float>{0.4488F, 0.4371F, 0.4040F}, {1, 3, 1, 1});
  EXPECT_LT(test::relative_error(shifted(x), plain(x - mean) + mean), 1e-5);
}

}  // namespace
}  // namespace mini
