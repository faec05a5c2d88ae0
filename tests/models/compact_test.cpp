// SRVGGNetCompact: parameter counts, sizes, names of the weights, errors.
#include "models/upscale/compact.h"

#include "tensor/view.h"
#include "tests/models/upscaler.h"

namespace mini {
namespace {

using models::CompactNet, models::CompactOptions;

TEST(CompactNet, HasThePublishedNumberOfParametersAndNames) {
  EXPECT_EQ(test::parameter_count<CompactNet>(CompactOptions{}), 621'424);
  Generator generator{1};
  const CompactNet net({.layers = 1, .features = 4}, generator);
  EXPECT_EQ(
      test::names(net.state_dict()),
      (std::vector<std::string>{"body.0.bias", "body.0.weight", "body.1.weight", "body.2.bias",
                                "body.2.weight", "body.3.weight", "body.4.bias", "body.4.weight"}));
}

TEST(CompactNet, EnlargesAndTrainsEveryParameter) {
  for (const std::int64_t scale : {1, 2, 3, 4})
    test::expect_scale<CompactNet>(CompactOptions{.scale = scale, .layers = 1, .features = 4},
                                   scale);
  test::expect_all_gradients<CompactNet>(CompactOptions{.layers = 1, .features = 4}, {1, 3, 4, 4});
}

TEST(CompactNet, CorrectsTheNearestPixels) {
  Generator generator{1};
  const CompactNet net({.scale = 2, .layers = 1, .features = 4}, generator);
  for (const auto& [name, tensor] : net.state_dict())
    if (name.starts_with("body.4.")) ops::fill(tensor, 0);
  const Tensor x = ops::uniform(generator, {1, 3, 3, 2});
  EXPECT_TRUE(test::equal_bits(net(x), upsample_nearest(x, 2)));
}

}  // namespace
}  // namespace mini
