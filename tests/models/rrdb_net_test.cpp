// RRDBNet: parameter counts, sizes, names of the weights, errors.
#include "models/upscale/rrdb_net.h"

#include "tests/models/upscaler.h"

namespace mini {
namespace {

using models::RrdbNet, models::RrdbOptions;

constexpr RrdbOptions small{.blocks = 2, .features = 4, .growth = 2};

TEST(RrdbNet, HasThePublishedNumbersOfParameters) {
  EXPECT_EQ(test::parameter_count<RrdbNet>(RrdbOptions{.scale = 1}), 16'723'907);
  EXPECT_EQ(test::parameter_count<RrdbNet>(RrdbOptions{.scale = 2}), 16'703'171);
  EXPECT_EQ(test::parameter_count<RrdbNet>(RrdbOptions{}), 16'697'987);
  EXPECT_EQ(test::parameter_count<RrdbNet>(RrdbOptions{.blocks = 6}), 4'467'779);
}

TEST(RrdbNet, EnlargesAndTrainsEveryParameter) {
  for (const std::int64_t scale : {1, 2, 4}) {
    RrdbOptions options = small;
    options.scale = scale;
    test::expect_scale<RrdbNet>(options, scale);
    test::expect_all_gradients<RrdbNet>(options, {1, 3, 8, 4});
  }
}

TEST(RrdbNet, ReadsAllThreeSpellings) {
  Generator generator{1};
  const RrdbNet net(small, generator);
  const nn::StateDict state = net.state_dict();
  EXPECT_EQ(RrdbNet::esrgan_keys().to_theirs("body.1.rdb3.conv5.bias"),
            "RRDB_trunk.1.RDB3.conv5.bias");
  EXPECT_EQ(RrdbNet::oldest_keys(2).to_theirs("body.1.rdb3.conv5.bias"),
            "model.1.sub.1.RDB3.conv5.0.bias");
  EXPECT_EQ(RrdbNet::oldest_keys(2).to_theirs("conv_body.bias"), "model.1.sub.2.bias");
  EXPECT_EQ(RrdbNet::oldest_keys(2).to_theirs("conv_hr.bias"), "model.8.bias");
  for (const nn::KeyTable& table : {RrdbNet::esrgan_keys(), RrdbNet::oldest_keys(2)})
    EXPECT_EQ(test::names(net.translate(test::respelled(
                  state, [&](const std::string& name) { return table.to_theirs(name); }))),
              test::names(state));
  EXPECT_EQ(test::names(net.translate(state)), test::names(state));
}

TEST(RrdbNet, SaysWhichOptionIsWrong) {
  Generator generator{1};
  EXPECT_EQ(test::error_of([&] { RrdbNet({.scale = 3}, generator); }),
            "rrdb: scale must be 1, 2 or 4, got 3");
}

}  // namespace
}  // namespace mini
