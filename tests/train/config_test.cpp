// The configuration of training: defaults, checks across fields, and reading back what was written.
#include "train/config.h"

#include <fstream>

#include "tests/support/support.h"

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
  EXPECT_EQ(config.adam.beta1, 0.9);
  EXPECT_EQ(config.adam.beta2, 0.999);
  EXPECT_EQ(config.adam.weight_decay, 1e-5);
  EXPECT_FALSE(config.adam.decoupled);
  EXPECT_EQ(config.clip_norm, 10);
  EXPECT_EQ(config.objective.qualities, std::vector<int>{75});
  EXPECT_EQ(learning_rate(config.schedule, config.lr, 99'999), 2e-4);
  EXPECT_EQ(learning_rate(config.schedule, config.lr, 450'000), 2e-4 / 16);
}

TEST(TrainConfig, ScaleReachesTheData) { EXPECT_EQ(parse(least, {"model.scale=4"}).data.scale, 4); }

TEST(TrainConfig, CosineTakesTheWholeRunUnlessTold) {
  const TrainConfig config = parse(least, {"train.schedule.type=cosine", "train.steps=100"});
  EXPECT_EQ(config.schedule.periods, std::vector<std::int64_t>{100});
  EXPECT_NEAR(learning_rate(config.schedule, config.lr, 50), config.lr / 2, 1e-12);
}

TEST(TrainConfig, AssignmentsWinOverTheFile) {
  const TrainConfig config = parse(R"({"data": {"train": "a"}, "train": {"lr": 0.1}})",
                                   {"train.lr=1e-4", "codec.quality=30..90", "out=/tmp/x"});
  EXPECT_EQ(config.lr, 1e-4);
  EXPECT_EQ(config.objective.qualities.size(), 61u);
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
}

}  // namespace
}  // namespace mini::train
