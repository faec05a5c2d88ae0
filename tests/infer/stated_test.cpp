// What a file states of its network beside the weights, what is given, and what is assumed.
#include "infer/stated.h"

#include "infer/checkpoints.h"
#include "models/upscale/edsr.h"
#include "tests/support/support.h"

namespace mini::infer {
namespace {

using models::EdsrOptions;

// Of a small EDSR as BasicSR stores it, without the means that would tell the range.
nn::StateDict weights() {
  Generator generator{1};
  nn::StateDict state = models::NetworkConfig("edsr", EdsrOptions{.blocks = 1, .features = 4})
                            .make(generator)
                            ->state_dict();
  std::erase_if(state,
                [](const auto& named) { return named.first.find("_mean") != std::string::npos; });
  return state;
}

io::TensorFile file(std::map<std::string, std::string> metadata) {
  io::TensorFile result;
  result.metadata = std::move(metadata);
  return result;
}

const EdsrOptions& options_of(const RecognisedNetwork& network) {
  return network.config.options<EdsrOptions>();
}

TEST(StatedOptions, AreReadFromMetadataUnderBothNames) {
  const Stated theirs = stated_options(file({{"img_range", "2"}, {"res_scale", "0.5"}}));
  const RecognisedNetwork network = recognise_network(weights(), theirs);
  EXPECT_EQ(options_of(network).range, 2);
  EXPECT_EQ(options_of(network).residual_scale, 0.5);
  EXPECT_TRUE(network.assumed.empty());
  EXPECT_EQ(options_of(recognise_network(weights(), stated_options(file({{"range", "1"}})))).range,
            1);
}

TEST(StatedOptions, AreReadFromTheConfigurationOfACheckpoint) {
  const Stated stated = stated_options(
      file({{CheckpointMark::key, CheckpointMark::value},
            {"config", R"({"model": {"range": 4, "residual_scale": 0.25}, "range": 8})"}}));
  EXPECT_EQ(options_of(recognise_network(weights(), stated)).range, 4);
  EXPECT_EQ(options_of(recognise_network(weights(), stated)).residual_scale, 0.25);
  for (const char* broken : {"", "{", "[]", "{\"model\": 3}"})
    EXPECT_TRUE(
        stated_options(file({{CheckpointMark::key, CheckpointMark::value}, {"config", broken}}))
            .empty());
}

TEST(StatedOptions, WhatIsGivenComesFirstAndWhatNobodyTellsIsAssumed) {
  const RecognisedNetwork network =
      recognise_network(weights(), {{"range", "2"}}, parse_options({"range=16"}));
  EXPECT_EQ(options_of(network).range, 16);
  EXPECT_EQ(network.assumed, (std::vector<std::string>{"residual_scale 1"}));
}

// A file cannot make its reader build another network than its weights are of.
TEST(StatedOptions, DoNotOverruleTheWeights) {
  const RecognisedNetwork network = recognise_network(weights(), {{"features", "4000"}});
  EXPECT_EQ(options_of(network).features, 4);
  EXPECT_EQ(test::error_of([] {
              recognise_network(weights(), {}, {{"features", "8"}});
            }),
            "--set features: weights of edsr have no such option to be told; they have "
            "residual_scale");
}

TEST(StatedOptions, NonsenseIsAnError) {
  EXPECT_EQ(test::error_of([] {
              recognise_network(weights(), {{"range", "wide"}});
            }),
            "range: must be a number from 0 to inf, the first excluded, got 'wide'");
  EXPECT_EQ(test::error_of([] {
              recognise_network(weights(), {{"range", "0"}});
            }),
            "range: must be a number from 0 to inf, the first excluded, got '0'");
  EXPECT_EQ(test::error_of([] { parse_options({"range"}); }),
            "--set range: must be KEY=VALUE, for instance range=255");
}

}  // namespace
}  // namespace mini::infer
