// The configuration of training: defaults, checks across fields, and reading back what was written.
#include "train/config.h"

#include <fstream>

#include "models/irn/irn.h"
#include "tests/support/support.h"
#include "train/recipes/sain.h"

namespace mini::train {
namespace {

const std::string least = R"({"data": {"train": "photos"}})";

TrainConfig parse(const std::string& text, const std::vector<std::string>& assignments = {}) {
  return parse_config(text, "x.json", "/runs/here", assignments);
}
std::string error_in(const std::string& text, const std::vector<std::string>& assignments = {}) {
  return test::error_of([&] { parse(text, assignments); });
}

TEST(TrainConfig, DefaultsAreThePapers) {
  const TrainConfig config = parse(least);
  EXPECT_EQ(config.data.folders, std::vector<std::filesystem::path>{"/runs/here/photos"});
  EXPECT_EQ(config.out, "/runs/here/out/train");
  EXPECT_EQ(config.data.batch, 16);
  EXPECT_EQ(config.data.patch, 128);
  EXPECT_EQ(config.steps, 500'000);
  EXPECT_EQ(config.lr, 2e-4);
  EXPECT_EQ(config.optimizer.beta1, 0.9);
  EXPECT_EQ(config.optimizer.beta2, 0.999);
  EXPECT_EQ(config.optimizer.weight_decay, 1e-5);
  EXPECT_FALSE(config.optimizer.decoupled);
  EXPECT_EQ(config.clip_norm, 10);
  EXPECT_EQ(config.recipe.options<SainRecipe::Options>().qualities, std::vector<int>{75});
  EXPECT_EQ(learning_rate(config.schedule, config.lr, 99'999), 2e-4);
  EXPECT_EQ(learning_rate(config.schedule, config.lr, 450'000), 2e-4 / 16);
}

TEST(TrainConfig, ScaleReachesTheData) { EXPECT_EQ(parse(least, {"model.scale=4"}).data.scale, 4); }

TEST(TrainConfig, HasTheKeysOfItsNetwork) {
  const TrainConfig config = parse(least, {"model.vanilla_blocks=3", "model.network=irn"});
  EXPECT_EQ(config.model.name(), "irn");
  EXPECT_EQ(config.model.options<models::IrnOptions>().vanilla_blocks, 3);
  EXPECT_EQ(config_text(config).find("enhanced_blocks"), std::string::npos);
  EXPECT_NE(config_text(parse(least)).find("enhanced_blocks"), std::string::npos);
  const std::string error = error_in(least, {"model.network=sane"});
  EXPECT_TRUE(error.starts_with("--set model.network=sane: model.network: must be \"sain\", "));
  EXPECT_TRUE(error.ends_with(", got \"sane\"")) << error;
}

// Those of another network, in a file from before each had its own.
TEST(TrainConfig, ReadsKeysOfOtherNetworks) {
  const TrainConfig config =
      parse(R"({"model": {"network": "irn", "enhanced_blocks": 0}, "data": {"train": "photos"}})");
  EXPECT_EQ(config.model.name(), "irn");
  EXPECT_EQ(error_in(R"({"model": {"network": "irn", "enhanced_blocks": -1}})"),
            "x.json: model.enhanced_blocks: must be in [0, 100], got -1");
}

TEST(TrainConfig, TheRecipeIsTheNetworksUnlessToldOtherwise) {
  EXPECT_EQ(parse(least).recipe.name(), "sain");
  EXPECT_EQ(parse(least, {"model.network=irn"}).recipe.name(), "irn");
  const TrainConfig config =
      parse(R"({"recipe": "sain", "model": {"network": "irn"}, "data": {"train": "photos"}})");
  EXPECT_EQ(config.recipe.name(), "sain");
  EXPECT_EQ(parse_config(config_text(config), "back", "/").recipe.name(), "sain");
}

// What is set of another recipe or network has no effect, and is told.
TEST(TrainConfig, TellsWhatHasNoEffect) {
  EXPECT_EQ(parse(least, {"loss.lambda_prior=2"}).unused,
            std::vector<std::string>{"loss.lambda_prior"});
  EXPECT_EQ(parse(least, {"loss.lambda_prior=1"}).unused, std::vector<std::string>());
  EXPECT_EQ(parse(least, {"model.network=edsr", "loss.rate=0.3", "model.enhanced_blocks=2"}).unused,
            (std::vector<std::string>{"model.enhanced_blocks", "loss.rate"}));
}

TEST(TrainConfig, ValidationHasACodecOfItsOwn) {
  EXPECT_EQ(parse(least).validation.format, std::nullopt);
  const TrainConfig config = parse(least, {"validation.format=png"});
  EXPECT_EQ(config.validation.format, io::ImageFormat::png);
  EXPECT_NE(config_text(config).find("\"format\": \"png\""), std::string::npos);
}

TEST(TrainConfig, HelpIsThatOfTheChosen) {
  EXPECT_EQ(config_help().find("lambda_prior"), std::string::npos);
  const std::vector<std::string> irn{"model.network=irn"};
  EXPECT_NE(config_help(irn).find("lambda_prior"), std::string::npos);
}

TEST(TrainConfig, CosineTakesTheWholeRunUnlessTold) {
  const TrainConfig config = parse(least, {"train.schedule.type=cosine", "train.steps=100"});
  EXPECT_EQ(config.schedule.periods, std::vector<std::int64_t>{100});
  EXPECT_NEAR(learning_rate(config.schedule, config.lr, 50), config.lr / 2, 1e-12);
}

TEST(TrainConfig, AssignmentsWinOverTheFile) {
  const TrainConfig config = parse(R"({"data": {"train": "a"}, "train": {"lr": 0.1}})",
                                   {"train.lr=1e-4", "codec.quality=30..90", "out=/tmp/x"});
  EXPECT_EQ(config.lr, 1e-4);
  EXPECT_EQ(config.recipe.options<SainRecipe::Options>().qualities.size(), 61u);
  EXPECT_EQ(config.out, "/tmp/x");
}

TEST(TrainConfig, ErrorsNameThePath) {
  EXPECT_EQ(error_in(R"({"data": {"train": "a"}, "train": {"lr": -1}})"),
            "x.json: train.lr: must be in (0, 1], got -1");
  EXPECT_EQ(error_in(R"({"data": {"trian": "a"}})"),
            "x.json: unknown key data.trian; did you mean data.train?");
  EXPECT_EQ(error_in("{}"), "x.json: data.train: names no folder");
  EXPECT_EQ(error_in(least, {"data.patch=130", "model.scale=4"}),
            "--set model.scale=4: data.patch: must be a multiple of model.scale (4), got 130");
  EXPECT_EQ(error_in(least, {"data.patch=131", "train.lr=0.1"}),
            "--set data.patch=131: data.patch: must be a multiple of model.scale (2), got 131");
  EXPECT_EQ(error_in(R"({"data": {"train": "a", "patch": 131}})", {"train.lr=0.1"}),
            "x.json: data.patch: must be a multiple of model.scale (2), got 131");
  EXPECT_EQ(error_in(least, {"codec.quality=[]"}),
            "--set codec.quality=[]: codec.quality: must not be empty");
  EXPECT_EQ(error_in(least, {"codec.format=png"}),
            "--set codec.format=png: codec.format: must be \"jpeg\" or \"webp\", got \"png\"");
  EXPECT_NE(error_in(least, {"train.schedule.milestones=[2, 1]"}).find("[2, 1]: schedule"),
            std::string::npos);
  EXPECT_NE(test::error_of([] { load_config("/nowhere/x.json"); }).find("/nowhere/x.json"),
            std::string::npos);
}

// As `mini_train x.json` gives it: the path of the file has no folder.
TEST(TrainConfig, AFileInTheCurrentFolderIsRead) {
  EXPECT_EQ(parse_config(least, "x.json", "", {}).out,
            parse_config(least, "x.json", std::filesystem::current_path(), {}).out);
}

TEST(TrainConfig, WhatIsWrittenReadsBack) {
  const TrainConfig config =
      parse(least, {"train.lr=0.3", "codec.format=webp", "validation.folders=[\"a\", \"/b\"]"});
  const std::string text = config_text(config);
  const TrainConfig back = parse_config(text, "back", "/elsewhere");
  EXPECT_EQ(config_text(back), text);
  EXPECT_TRUE(config_differences(config, back).empty());
}

TEST(TrainConfig, HelpIsAConfigItself) {
  const TrainConfig config = parse(config_help(), {"data.train=/a"});
  EXPECT_EQ(config.lr, TrainConfig().lr);
}

TEST(TrainConfig, DifferencesAreThoseOfTheResults) {
  const TrainConfig a = parse(least), b = parse(least, {"train.lr=0.1", "out=/x", "log.every=1"});
  EXPECT_EQ(config_differences(a, b), std::vector<std::string>{"train.lr"});
  EXPECT_EQ(config_differences(a, parse(least, {"model.network=irn"})),
            (std::vector<std::string>{"loss.lambda_prior", "model.condition",
                                      "model.enhanced_blocks", "model.network", "recipe"}));
}

}  // namespace
}  // namespace mini::train
