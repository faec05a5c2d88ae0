// mini_train as a program: exit codes, messages, signals, and the configurations of the project.
#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <sstream>
#include <string>

#include "tests/tools/train_tool.h"
#include "train/checkpoint.h"
#include "train/config.h"
#include "train/recipes/sain.h"

namespace mini {
namespace {

TEST_F(TrainTool, TrainsAndSaves) {
  EXPECT_EQ(run_tiny({}), 0) << errors();
  EXPECT_EQ(errors(), "");
  EXPECT_EQ(train::find_checkpoint(out()), train::checkpoint_path(out(), 12));
  EXPECT_NE(output().find("12/12  "), std::string::npos) << output();
  EXPECT_NE(output().find("PSNR-Y jpeg 75: "), std::string::npos) << output();
  EXPECT_EQ(output().find('\x1b'), std::string::npos);  // not a terminal, so no control codes
}

TEST_F(TrainTool, SignalSavesAndResumeGoesOnBitForBit) {
  const Words common{"--set", "train.schedule.type=multistep", "--set", "validation.folders=[]",
                     "--steps"};
  const auto with = [&](const Words& more) {
    Words all = common;
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  const pid_t child = start_tiny(with({"1000000"}));
  ASSERT_NO_FATAL_FAILURE(wait_for_log("\"step\":3,"));
  kill(child, SIGTERM);
  EXPECT_EQ(exit_code(child), 128 + SIGTERM) << errors();
  EXPECT_NE(output().find("go on with --resume"), std::string::npos) << output();

  const std::int64_t stopped = train::load_checkpoint(train::find_checkpoint(out())).position.step;
  EXPECT_GE(stopped, 3);
  const std::string end = std::to_string(stopped + 3);
  ASSERT_EQ(run_tiny(with({end, "--resume"})), 0) << errors();
  ASSERT_EQ(run_tiny(with({end, "--out", (out() / "whole").string()})), 0) << errors();

  const auto parts = train::load_checkpoint(train::checkpoint_path(out(), stopped + 3));
  const auto whole = train::load_checkpoint(train::checkpoint_path(out() / "whole", stopped + 3));
  ASSERT_FALSE(whole.model.empty());
  for (const auto& [name, tensor] : whole.model)
    EXPECT_TRUE(test::equal_bits(tensor, parts.model.at(name))) << name;
  for (const auto& [name, tensor] : whole.optimizer)
    EXPECT_TRUE(test::equal_bits(tensor, parts.optimizer.at(name))) << name;
}

// Whoever reads the output may leave, and a terminal may end: the steps are saved all the same.
TEST_F(TrainTool, NoSignalLosesSteps) {
  for (const int number : {SIGINT, SIGHUP, SIGUSR1}) {
    const pid_t child = start_tiny({"--steps", "1000000", "--set", "checkpoint.every=1000000"});
    ASSERT_NO_FATAL_FAILURE(wait_for_log("\"step\":3,"));
    kill(child, number);
    EXPECT_EQ(exit_code(child), 128 + number) << errors();
    EXPECT_GE(train::load_checkpoint(train::find_checkpoint(out())).position.step, 3);
    fs::remove_all(out());
  }
}

TEST_F(TrainTool, AReaderThatLeavesStopsNothing) {
  std::string command;
  for (const std::string& word : tiny({"--steps", "30"})) command += " '" + word + "'";
  EXPECT_EQ(std::system(("bash -c \"set -o pipefail; " + train_program + command +
                         " | head -n 1 >/dev/null\"")
                            .c_str()),
            0);
  EXPECT_EQ(train::find_checkpoint(out()), train::checkpoint_path(out(), 30));
}

TEST_F(TrainTool, ClosedOutputLandsInNoFile) {
  std::string command;
  for (const std::string& word : tiny({})) command += " '" + word + "'";
  EXPECT_EQ(std::system((train_program + command + " >&- 2>&- <&-").c_str()), 0);
  std::istringstream log(content(out() / "log.jsonl"));
  for (std::string line; std::getline(log, line);)
    EXPECT_TRUE(line.starts_with("{\"event\"")) << line;
  EXPECT_NO_THROW(train::load_checkpoint(train::find_checkpoint(out())));
}

TEST_F(TrainTool, TwoRunsInOneFolderAreRefused) {
  const pid_t child = start_tiny({"--steps", "1000000"});
  ASSERT_NO_FATAL_FAILURE(wait_for_log("\"step\":6,"));
  const Words again = tiny({"--resume"});
  EXPECT_EQ(run(again), 1);
  EXPECT_NE(errors().find("another process trains in " + out().string()), std::string::npos)
      << errors();
  kill(child, SIGTERM);
  EXPECT_EQ(exit_code(child), 128 + SIGTERM);
}

// From the folder where the files are, by their bare names; names that look like numbers; "~".
TEST_F(TrainTool, PathsAreTakenAsPeopleWriteThem) {
  fs::copy_file(configs / "tiny.json", folder_.path() / "c.json");
  const auto in_folder = [&](const fs::path& folder, const std::string& arguments) {
    return std::system(("cd " + folder.string() + " && HOME=" + folder_.path().string() + " " +
                        train_program + " " + arguments + " >" +
                        (folder_.path() / "stdout").string() + " 2>" +
                        (folder_.path() / "stderr").string())
                           .c_str());
  };
  const std::string sets = " --set data.train=photos --set 'validation.folders=[]' --steps 2 ";
  for (const std::string name : {"2024", "true", "null", "1e3"}) {
    EXPECT_EQ(in_folder(folder_.path(), "c.json" + sets + "--out " + name), 0) << errors();
    EXPECT_TRUE(fs::exists(folder_.path() / name / "step_000000002.safetensors")) << name;
  }
  EXPECT_EQ(in_folder(folder_.path(), "c.json" + sets + "--out=~/home"), 0) << errors();
  EXPECT_EQ(in_folder(folder_.path() / "home",
                      "config.json --steps 3 --resume step_000000002.safetensors"),
            0)
      << errors();
  EXPECT_EQ(train::find_checkpoint(folder_.path() / "home"),
            train::checkpoint_path(folder_.path() / "home", 3));
}

TEST_F(TrainTool, LossNotFiniteIsAnError) {
  EXPECT_EQ(run_tiny({"--set", "loss.lambda_back=1e38"}), 1);
  EXPECT_TRUE(errors().starts_with("mini_train: step 1: loss is inf; the weights after step 0"))
      << errors();
  EXPECT_NO_THROW(train::load_checkpoint(train::find_checkpoint(out())));
}

TEST_F(TrainTool, BadInputIsToldAndChangesNothing) {
  const auto expect_error = [&](int code, const std::string& part) {
    EXPECT_EQ(code, 1);
    EXPECT_TRUE(errors().starts_with("mini_train: ")) << errors();
    EXPECT_NE(errors().find(part), std::string::npos) << errors();
    EXPECT_FALSE(fs::exists(out()));
  };
  expect_error(run_tiny({"--set", "train.lrr=1"}), "unknown key train.lrr; did you mean train.lr?");
  expect_error(run_tiny({"--set", "train.lr=-1"}), "train.lr: must be in (0, 1], got -1");
  expect_error(run_tiny({"--set", "data.train=/nowhere"}), "/nowhere");
  expect_error(run_tiny({"--resume"}), "no such file or folder");
  expect_error(run_tiny({"--init", "/nowhere.pth"}), "/nowhere.pth");
  expect_error(run_tiny({"--device", "abacus"}), "abacus");
  expect_error(run_tiny({"--bogus"}), "--bogus");
  expect_error(run_tiny({"--resume", "x", "--init", "y"}), "excludes");
  expect_error(run_tiny({"--set", "out=elsewhere"}), "and --set out=elsewhere are about the same");
  expect_error(run_tiny({"--steps", "3", "--set", "train.steps=4"}),
               "--steps 3 and --set train.steps=4 are about the same");
  expect_error(run_tiny({"--set", "train.seed=-1"}), "train.seed: must be at least 0, got -1");
  expect_error(run({}), "CONFIG is missing");
  expect_error(run({"/nowhere.json"}), "/nowhere.json");
}

TEST_F(TrainTool, ProfilesMemoryAndWritesNothing) {
  ASSERT_EQ(run_tiny({"--profile-memory"}), 0) << errors();
  EXPECT_EQ(errors(), "");
  EXPECT_FALSE(fs::exists(out()));
  EXPECT_TRUE(output().starts_with("one training step: sain x2, batch 2, patch 16\n")) << output();

  std::istringstream lines(output());
  std::size_t tables = 0, rows = 0, previous = 0;
  bool features_seen = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.find("made in") != std::string::npos) {
      ++tables;
      previous = SIZE_MAX;
    } else if (tables > 0 && !line.empty() && line[0] == ' ') {
      ++rows;
      std::istringstream cells(line);
      std::size_t bytes = 0, count = 0;
      double share = 0;
      char percent = 0;
      std::string shape, dtype;
      cells >> bytes >> share >> percent >> count >> shape >> dtype;
      ASSERT_TRUE(cells) << line;
      EXPECT_GE(bytes, 64u);
      EXPECT_LE(bytes, previous);  // largest first
      EXPECT_EQ(percent, '%');
      EXPECT_TRUE(tables == 2 || count == 1) << line;
      previous = bytes;
      features_seen |= line.find("models::") != std::string::npos;
    }
  }
  EXPECT_EQ(tables, 2u);
  EXPECT_EQ(rows, 20u);
  EXPECT_TRUE(features_seen) << output();  // functions are named

  // A folder that contains a run must not change.
  ASSERT_EQ(run_tiny({"--steps", "1"}), 0) << errors();
  const auto written = fs::last_write_time(train::find_checkpoint(out()));
  EXPECT_EQ(run_tiny({"--steps", "1", "--profile-memory"}), 0) << errors();
  EXPECT_EQ(run_tiny({"--profile-memory", "--resume"}), 0) << errors();
  EXPECT_EQ(train::find_checkpoint(out()), train::checkpoint_path(out(), 1));
  EXPECT_EQ(fs::last_write_time(train::find_checkpoint(out())), written);
}

TEST_F(TrainTool, HelpAndVersion) {
  EXPECT_EQ(run({"--help"}), 0);
  EXPECT_NE(output().find("--resume"), std::string::npos);
  EXPECT_EQ(run({"--version"}), 0);
  EXPECT_TRUE(output().starts_with("mini_train 0.")) << output();
  EXPECT_EQ(run({"--help-config"}), 0);
  EXPECT_EQ(output(), train::config_help());
}

TEST(Configs, AllOfTheProjectAreValid) {
  int count = 0;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(configs)) {
    if (entry.is_directory()) continue;
    EXPECT_NO_THROW(train::load_config(entry.path())) << entry.path();
    ++count;
  }
  EXPECT_GE(count, 4);
}

TEST(Configs, SainIsThePapers) {
  const train::TrainConfig x2 = train::load_config(configs / "sain.json");
  EXPECT_EQ(x2.data.folders.front(), fs::path(MINI_SOURCE_DIR) / "data/DIV2K/DIV2K_train_HR");
  EXPECT_EQ(x2.recipe.options<train::SainRecipe::Options>().lambda_forw, 4);
  EXPECT_EQ(learning_rate(x2.schedule, x2.lr, 250'000), 5e-5);
  const train::TrainConfig x4 = train::load_config(configs / "sain_x4.json");
  EXPECT_EQ(x4.model.scale(), 4);
  EXPECT_EQ(x4.recipe.options<train::SainRecipe::Options>().lambda_forw, 16);
}

}  // namespace
}  // namespace mini
