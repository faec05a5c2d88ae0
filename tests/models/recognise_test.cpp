// Recognising the network from a state dict, and refusing a state dict of no known network.
#include "models/car/car.h"
#include "models/hcflow/hcflow.h"
#include "models/irn/irn.h"
#include "models/registry.h"
#include "models/sain/sain.h"
#include "models/tri/tirn.h"
#include "models/tri/tsain.h"
#include "models/upscale/compact.h"
#include "models/upscale/edsr.h"
#include "models/upscale/rcan.h"
#include "models/upscale/rdn.h"
#include "models/upscale/rrdb_net.h"
#include "models/upscale/srcnn.h"
#include "tests/support/support.h"

namespace mini::models {
namespace {

nn::StateDict weights_of(const NetworkConfig& config) {
  Generator generator{1, 0};
  return config.make(generator)->state_dict();
}

// The options as text, in the order of the fields.
std::string text_of(NetworkConfig config) {
  std::string text = config.name();
  for (const nn::Field& field : config.fields()) text += ' ' + nn::text_of(field);
  return text;
}

// "sain, irn, ..."
const std::string listed = [] {
  std::string text;
  for (const std::string& name : network_names()) text += (text.empty() ? "" : ", ") + name;
  return text;
}();

TEST(RecogniseNetwork, KnowsItsNetworks) {
  for (const NetworkConfig& config :
       {NetworkConfig("sain", SainOptions{2, 2, 1, 8}),
        NetworkConfig("sain", SainOptions{4, 1, 3, 4}),
        NetworkConfig("sain", SainOptions{4, 2, 1, 4, Condition::quality}),
        NetworkConfig("irn", IrnOptions{2, 3, 8}),
        NetworkConfig("irn", IrnOptions{4, 2, 4}),
        NetworkConfig("edsr", EdsrOptions{.scale = 2, .blocks = 2, .features = 68}),
        NetworkConfig("edsr", EdsrOptions{3, 1, 4, 1, 1}),
        NetworkConfig("edsr", EdsrOptions{4, 3, 4, 1}),
        NetworkConfig("rdn", RdnOptions{3, 2, 3, 4, 6}),
        NetworkConfig("rdn", RdnOptions{4, 1, 2, 6, 4}),
        NetworkConfig("rcan", RcanOptions{2, 2, 3, 8, 4}),
        NetworkConfig("rcan", RcanOptions{4, 1, 2, 4, 2}),
        NetworkConfig("rrdb", RrdbOptions{1, 1, 4, 2}),
        NetworkConfig("rrdb", RrdbOptions{2, 2, 4, 2}),
        NetworkConfig("rrdb", RrdbOptions{4, 1, 6, 4}),
        NetworkConfig("srcnn", SrcnnOptions{}),
        NetworkConfig("srcnn", SrcnnOptions{2, 5, 1, 3, 8, 4, 3}),
        NetworkConfig("tirn", TirnOptions{.down_blocks = 2, .growth = 8}),
        NetworkConfig("tirn", TirnOptions{4, 1, 2, 4}),
        NetworkConfig("tsain", TsainOptions{2, 1, 3, 2, 4}),
        NetworkConfig("tsain", TsainOptions{4, 2, 1, 1, 8}),
        NetworkConfig("hcflow", HcFlowOptions{4, 3, 4, {2, 6, 8, 2, 1, 0}}),
        NetworkConfig("compact", CompactOptions{3, 0, 8}),
        NetworkConfig("compact", CompactOptions{4, 2, 4}),
        NetworkConfig("car", CarOptions{4, 4, 2, 1, 8, 1})})
    EXPECT_EQ(text_of(recognise_network(weights_of(config))), text_of(config));
}

TEST(RecogniseNetwork, RefusesOtherWeights) {
  EXPECT_EQ(test::error_of([] {
              recognise_network({{"layer.weight", Tensor::zeros({2})}});
            }),
            "model: the weights are of none of the networks here (" + listed +
                "); their first name is layer.weight");
  EXPECT_EQ(test::error_of([] { recognise_network({}); }),
            "model: the weights are of none of the networks here (" + listed +
                "); their first name is missing: there are no tensors");
}

TEST(RecogniseNetwork, ASmallFileBuildsNoHugeNetwork) {
  const NetworkConfig small("sain", SainOptions{2, 1, 1, 4});
  nn::StateDict state = weights_of(small);
  state["down_operations.0.F.conv1.weight"] = Tensor::zeros({100'000, 1, 1, 1});
  EXPECT_NE(test::error_of([&] { recognise_network(state); }).find("do not fit"),
            std::string::npos);
  state["down_operations.0.F.conv1.weight"] = Tensor::zeros({0, 9, 3, 3});
  EXPECT_NE(test::error_of([&] { recognise_network(state); }).find("do not fit"),
            std::string::npos);
  state = weights_of(small);
  for (int level = 1; level < 70; ++level)
    state[concat_text("haar_operations.", level, ".haar_weights")] = Tensor::zeros({1});
  EXPECT_EQ(test::error_of([&] { recognise_network(state); }),
            "model: the weights have 70 Haar levels; 1 (x2) and 2 (x4) are known");
}

TEST(RecogniseNetwork, ASmallFileBuildsNoHugeUpscaler) {
  const std::pair<NetworkConfig, const char*> wide[] = {
      {NetworkConfig("edsr", EdsrOptions{.blocks = 1, .features = 4}), "head.0.weight"},
      {NetworkConfig("rdn", RdnOptions{2, 1, 2, 4, 4}), "SFENet1.weight"},
      {NetworkConfig("rcan", RcanOptions{2, 1, 1, 4, 2}), "head.0.weight"},
      {NetworkConfig("rrdb", RrdbOptions{4, 1, 4, 2}), "conv_first.weight"},
      {NetworkConfig("srcnn", SrcnnOptions{2, 5, 1, 3, 8, 4}), "conv2.weight"},
      {NetworkConfig("hcflow", HcFlowOptions{4, 1, 4, {1, 4, 4, 2, 1, 0}}),
       "flow.level0_condFlow.conv_first.weight"},
      {NetworkConfig("car", CarOptions{2, 4, 1, 1, 4, 1}), "kgn.ds_1.1.weight"}};
  nn::StateDict compact = weights_of(NetworkConfig("compact", CompactOptions{2, 1, 4}));
  compact["body.0.weight"] = Tensor::zeros({100'000, 3, 1, 1});
  compact["body.1.weight"] = Tensor::zeros({100'000});
  EXPECT_NE(test::error_of([&] { recognise_network(compact); }).find("do not fit"),
            std::string::npos);
  for (const auto& [config, weight] : wide) {
    nn::StateDict state = weights_of(config);
    state[weight] = Tensor::zeros({100'000, 3, 1, 1});
    EXPECT_NE(test::error_of([&] { recognise_network(state); }).find("do not fit"),
              std::string::npos)
        << config.name();
  }
}

// Zero blocks would be built as the paper's number, of whatever growth.
TEST(RecogniseNetwork, NoBlocksAreNoNetwork) {
  nn::StateDict irn;
  for (const char* name :
       {"operations.0.haar_weights", "operations.1.haar_weights", "operations.1.F.conv1.weight"})
    irn[name] = Tensor::zeros({1000, 1, 1, 0});
  EXPECT_EQ(test::error_of([&] { recognise_network(irn); }), "model: the weights have no blocks");
  nn::StateDict sain = weights_of(NetworkConfig("sain", SainOptions{2, 1, 1, 4}));
  std::erase_if(sain, [](const auto& named) { return named.first.starts_with("comp_operations"); });
  EXPECT_EQ(test::error_of([&] { recognise_network(sain); }), "model: the weights have no blocks");
  nn::StateDict uneven = weights_of(NetworkConfig("irn", IrnOptions{4, 1, 4}));
  for (const auto& [name, tensor] : nn::StateDict(uneven))
    if (name.starts_with("operations.3.")) uneven["operations.4." + name.substr(13)] = tensor;
  EXPECT_EQ(test::error_of([&] { recognise_network(uneven); }),
            "model: the weights have 3 blocks, which 2 levels cannot share");
}

// What nobody but the trainer knows.
TEST(RecogniseNetwork, SaysWhatWeightsDoNotTell) {
  const auto untold = [](const NetworkConfig& config, const char* without = nullptr) {
    nn::StateDict state = weights_of(config);
    if (without != nullptr)
      std::erase_if(state, [&](const auto& named) { return named.first.starts_with(without); });
    return recognise_network(state).untold(state);
  };
  using Names = std::vector<std::string>;
  const NetworkConfig edsr("edsr", EdsrOptions{.blocks = 1, .features = 4});
  EXPECT_EQ(untold(edsr), (Names{"residual_scale"}));
  EXPECT_EQ(untold(edsr, "sub_mean"), (Names{"residual_scale", "range"}));
  EXPECT_EQ(untold(NetworkConfig("srcnn")), (Names{"scale", "border"}));
  EXPECT_EQ(untold(NetworkConfig("rrdb", RrdbOptions{4, 1, 4, 2})), Names{});
  EXPECT_EQ(untold(NetworkConfig("sain", SainOptions{2, 1, 1, 4})), Names{});
}

TEST(NetworkConfig, HoldsOptionsOfItsNetworkAlone) {
  EXPECT_EQ(NetworkConfig("irn").scale(), 2);
  EXPECT_EQ(NetworkConfig("irn", IrnOptions{.scale = 4}).scale(), 4);
  EXPECT_EQ(test::error_of([] { NetworkConfig("sain", IrnOptions{}); }),
            "model: these are not the options of sain");
  EXPECT_EQ(test::error_of([] { NetworkConfig("sane"); }),
            "model: there is no network 'sane'; there are " + listed);
}

// A copy's fields set the copy.
TEST(NetworkConfig, IsAValue) {
  const NetworkConfig config("sain", SainOptions{.growth = 8});
  NetworkConfig copy = config;
  for (const nn::Field& field : copy.fields())
    if (field.path == "growth") *std::get<std::int64_t*>(field.value) = 16;
  EXPECT_EQ(copy.options<SainOptions>().growth, 16);
  EXPECT_EQ(config.options<SainOptions>().growth, 8);
}

}  // namespace
}  // namespace mini::models
