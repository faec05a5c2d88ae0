// tools/train_weights.sh, with the shipped configuration on small images: the same first steps every time,
// also when it is interrupted, and weights with a card.
#include <csignal>

#include "io/safetensors.h"
#include "tests/tools/train_tool.h"
#include "train/checkpoint.h"

namespace mini {
namespace {

class WeightsScript : public TrainTool {
 protected:
  fs::path run_folder(const std::string& run) const { return out() / run; }
  fs::path weights(const std::string& run) const {
    return folder_.path() / (run + "_weights") / "sain_x2.safetensors";
  }
  pid_t start_script(const std::string& run, std::int64_t steps) const {
    Words words{(fs::path(MINI_SOURCE_DIR) / "tools/train_weights.sh").string(),
                photos().string(),
                "--programs",
                fs::path(MINI_BINARY_DIR) / "tools",
                "--out",
                run_folder(run).string(),
                "--weights",
                weights(run).parent_path().string(),
                "--test",
                photos().string(),
                "--nice",
                "0",
                "--",
                "--steps",
                std::to_string(steps)};
    for (const char* setting : {"data.patch=16", "data.batch=2", "validation.folders=[]",
                                "log.every=1", "train.schedule.decay=2", "threads=1"})
      words.insert(words.end(), {"--set", setting});
    return start_program(words);
  }
  train::Checkpoint last(const std::string& run) const {
    return train::load_checkpoint(train::find_checkpoint(run_folder(run)));
  }
};

TEST_F(WeightsScript, GivesTheSameBitsInterruptedOrNot) {
  const pid_t script = start_script("parts", 1'000'000);
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  const fs::path log = run_folder("parts") / "log.jsonl";
  while (!fs::exists(log) || content(log).find("\"step\":2,") == std::string::npos) {
    ASSERT_LT(std::chrono::steady_clock::now(), give_up) << errors();
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  kill(script, SIGTERM);
  EXPECT_EQ(exit_code(script), 128 + SIGTERM) << errors();
  EXPECT_TRUE(fs::exists(weights("parts")));
  const std::int64_t end = last("parts").position.step + 3;
  ASSERT_EQ(exit_code(start_script("parts", end)), 0) << errors();
  ASSERT_EQ(exit_code(start_script("whole", end)), 0) << errors();

  const train::Checkpoint whole = last("whole"), parts = last("parts");
  EXPECT_EQ(parts.position.step, end);
  ASSERT_FALSE(whole.average.empty());
  for (const auto& [name, tensor] : whole.model)
    EXPECT_TRUE(test::equal_bits(tensor, parts.model.at(name))) << name;
  for (const auto& [name, tensor] : whole.average)
    EXPECT_TRUE(test::equal_bits(tensor, parts.average.at(name))) << name;
}

TEST_F(WeightsScript, LeavesTheAverageAndACardAndGoesOnFromThem) {
  ASSERT_EQ(exit_code(start_script("run", 6)), 0) << errors();
  const io::TensorFile file = io::read_safetensors(weights("run"));
  EXPECT_EQ(file.metadata.at("step"), "6");
  EXPECT_EQ(file.metadata.at("codec"), "jpeg");
  for (const auto& [name, tensor] : last("run").average)
    EXPECT_TRUE(test::equal_bits(file.tensors.at(name), tensor)) << name;
  EXPECT_LT(fs::file_size(weights("run")), 5'000'000u);
  const std::string card = content(fs::path(weights("run")).replace_extension(".md"));
  for (const char* text : {"6 steps, 0.0 CPU-hours", "3 photographs", "random weights",
                           "condition quality", "| jpeg | 90 | sain |", "BD-rate"})
    EXPECT_NE(card.find(text), std::string::npos) << text << " is missing in\n" << card;

  fs::remove_all(run_folder("run"));
  ASSERT_EQ(exit_code(start_script("run", 6)), 0) << errors();
  EXPECT_EQ(content(run_folder("run") / "origin"), "the weights of step 6\n");
  for (const auto& entry : fs::directory_iterator(weights("run").parent_path()))
    EXPECT_EQ(entry.path().string().find(".new"), std::string::npos) << entry.path();
}

}  // namespace
}  // namespace mini
