// Recognising the network from a state dict, and refusing a state dict of no known network.
#include "models/rescaler.h"
#include "tests/support/support.h"

namespace mini::models {
namespace {

nn::StateDict weights_of(const RescalerConfig& config) {
  Generator generator{1, 0};
  return make_rescaler(config, generator)->state_dict();
}

TEST(RecogniseRescaler, KnowsItsNetworks) {
  for (const RescalerConfig& config :
       {RescalerConfig{"sain", 2, 2, 1, 8}, RescalerConfig{"sain", 4, 1, 3, 4},
        RescalerConfig{"irn", 2, 0, 3, 8}, RescalerConfig{"irn", 4, 0, 2, 4}}) {
    const RescalerConfig found = recognise_rescaler(weights_of(config));
    EXPECT_EQ(found.network, config.network);
    EXPECT_EQ(found.scale, config.scale);
    EXPECT_EQ(found.enhanced_blocks, config.enhanced_blocks);
    EXPECT_EQ(found.vanilla_blocks, config.vanilla_blocks);
    EXPECT_EQ(found.growth, config.growth);
  }
}

TEST(RecogniseRescaler, RefusesOtherWeights) {
  EXPECT_EQ(test::error_of([] {
              recognise_rescaler({{"layer.weight", Tensor::zeros({2})}});
            }),
            "model: the weights are of none of the networks here (sain, irn); their first name is "
            "layer.weight");
  EXPECT_EQ(test::error_of([] { recognise_rescaler({}); }),
            "model: the weights are of none of the networks here (sain, irn); their first name is "
            "missing: there are no tensors");
}

TEST(RecogniseRescaler, ASmallFileBuildsNoHugeNetwork) {
  nn::StateDict state = weights_of({"sain", 2, 1, 1, 4});
  state["down_operations.0.F.conv1.weight"] = Tensor::zeros({100'000, 1, 1, 1});
  EXPECT_NE(test::error_of([&] { recognise_rescaler(state); }).find("do not fit"),
            std::string::npos);
  state["down_operations.0.F.conv1.weight"] = Tensor::zeros({0, 9, 3, 3});
  EXPECT_NE(test::error_of([&] { recognise_rescaler(state); }).find("do not fit"),
            std::string::npos);
  state = weights_of({"sain", 2, 1, 1, 4});
  for (int level = 1; level < 70; ++level)
    state[concat_text("haar_operations.", level, ".haar_weights")] = Tensor::zeros({1});
  EXPECT_EQ(test::error_of([&] { recognise_rescaler(state); }),
            "model: the weights have 70 Haar levels; 1 (x2) and 2 (x4) are known");
}

// Zero blocks would be built as the paper's number, of whatever growth.
TEST(RecogniseRescaler, NoBlocksAreNoNetwork) {
  nn::StateDict irn;
  for (const char* name :
       {"operations.0.haar_weights", "operations.1.haar_weights", "operations.1.F.conv1.weight"})
    irn[name] = Tensor::zeros({1000, 1, 1, 0});
  EXPECT_EQ(test::error_of([&] { recognise_rescaler(irn); }), "model: the weights have no blocks");
  nn::StateDict sain = weights_of({"sain", 2, 1, 1, 4});
  std::erase_if(sain, [](const auto& named) { return named.first.starts_with("comp_operations"); });
  EXPECT_EQ(test::error_of([&] { recognise_rescaler(sain); }), "model: the weights have no blocks");
  nn::StateDict uneven = weights_of({"irn", 4, 0, 1, 4});
  for (const auto& [name, tensor] : nn::StateDict(uneven))
    if (name.starts_with("operations.3.")) uneven["operations.4." + name.substr(13)] = tensor;
  EXPECT_EQ(test::error_of([&] { recognise_rescaler(uneven); }),
            "model: the weights have 3 blocks, which 2 levels cannot share");
}

}  // namespace
}  // namespace mini::models
