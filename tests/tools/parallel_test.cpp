// mini_train under mpirun: two processes on one machine.
#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <string>

#include "tests/tools/train_tool.h"
#include "train/checkpoint.h"

namespace mini {
namespace {

const std::string mpirun = MINI_MPIRUN;  // empty without MPI

// Sets an environment variable for a scope.
class Environment {
 public:
  Environment(const char* name, const char* value) : name_(name) {
    if (const char* const before = std::getenv(name)) before_ = before;
    setenv(name, value, 1);
  }
  ~Environment() {
    if (before_)
      setenv(name_, before_->c_str(), 1);
    else
      unsetenv(name_);
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  const char* name_;
  std::optional<std::string> before_;
};

class ParallelTool : public TrainTool {
 protected:
  void SetUp() override {
    if (mpirun.empty() || !fs::exists(mpirun))
      GTEST_SKIP() << "no mpirun; Debian's packages are libopenmpi-dev and openmpi-bin";
    TrainTool::SetUp();
    two_ = {mpirun, "-np", "2", "--oversubscribe"};
  }

  Words two_;                                               // a value for launcher_
  Environment no_leaks_{"ASAN_OPTIONS", "detect_leaks=0"};  // Open MPI leaks
  Environment root_{"OMPI_ALLOW_RUN_AS_ROOT", "1"};         // needed in a container
  Environment root_indeed_{"OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1"};
};

// Batches of four from three images, without validation. Where a gradient consists of rounding
// errors only, Adam's step with the usual eps would, too.
Words with(const Words& more) {
  Words all{"--set", "data.batch=4",
            "--set", "validation.folders=[]",
            "--set", "train.schedule.type=multistep",
            "--set", "train.eps=1e-2"};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

// The largest difference between the weights of two runs after a step.
double difference(const fs::path& a, const fs::path& b, std::int64_t step) {
  const auto first = train::load_checkpoint(train::checkpoint_path(a, step)).model;
  const auto second = train::load_checkpoint(train::checkpoint_path(b, step)).model;
  EXPECT_EQ(first.size(), second.size());
  EXPECT_FALSE(first.empty());
  double worst = 0;
  for (const auto& [name, tensor] : first)
    worst = std::max(worst, test::max_difference(tensor, second.at(name)));
  return worst;
}

void expect_same_state(const fs::path& a, const fs::path& b) {
  const auto first = train::load_checkpoint(a), second = train::load_checkpoint(b);
  ASSERT_FALSE(first.model.empty());
  for (const auto& [name, tensor] : first.model)
    EXPECT_TRUE(test::equal_bits(tensor, second.model.at(name))) << name;
  for (const auto& [name, tensor] : first.optimizer)
    EXPECT_TRUE(test::equal_bits(tensor, second.optimizer.at(name))) << name;
  EXPECT_EQ(first.noise, second.noise);
}

// Processes compare their weights whenever they save (Trainer::check_weights). A run that ends well
// has therefore shown that they are equal.
TEST_F(ParallelTool, TwoProcessesTakeTheStepsOfOne) {
  for (const std::string network : {"sain", "irn"})
    for (const auto& [precision, tolerance] : {std::pair{"float64", 1e-14}, {"float32", 1e-6}}) {
      const fs::path one = out() / (network + precision), two = out() / (network + precision + "2");
      const auto run_as = [&, precision = precision](const Words& launcher,
                                                     const fs::path& folder) {
        launcher_ = launcher;
        return run_tiny(with({"--steps", "4", "--set", "model.network=" + network, "--set",
                              std::string("precision=") + precision, "--out", folder.string()}));
      };
      ASSERT_EQ(run_as({}, one), 0) << errors();
      ASSERT_EQ(run_as(two_, two), 0) << errors();
      EXPECT_NE(output().find("; 2 processes of 1 thread; "), std::string::npos) << output();
      EXPECT_NE(output().find(" step/s  2 processes  "), std::string::npos) << output();
      EXPECT_NE(content(two / "log.jsonl").find("\"processes\":2,"), std::string::npos);
      EXPECT_LE(difference(one, two, 4), tolerance) << network << " in " << precision;
    }
}

TEST_F(ParallelTool, ASignalToOneStopsBothAndResumeGoesOnBitForBit) {
  launcher_ = two_;
  for (const char* word : {"sh", "-c", R"(echo $$ >"$0.$OMPI_COMM_WORLD_RANK"; exec "$@")"})
    launcher_.emplace_back(word);
  const fs::path pid_file = folder_.path() / "pid";
  launcher_.push_back(pid_file.string());
  const pid_t child = start_tiny(with({"--steps", "1000000"}));
  ASSERT_NO_FATAL_FAILURE(wait_for_log("\"step\":3,"));
  kill(std::stoi(content(pid_file.string() + ".1")), SIGTERM);
  EXPECT_EQ(exit_code(child), 128 + SIGTERM) << errors();
  EXPECT_NE(output().find("go on with --resume"), std::string::npos) << output();

  launcher_ = two_;
  const std::int64_t stopped = train::load_checkpoint(train::find_checkpoint(out())).position.step;
  const std::string end = std::to_string(stopped + 3);
  ASSERT_EQ(run_tiny(with({"--steps", end, "--resume"})), 0) << errors();
  ASSERT_EQ(run_tiny(with({"--steps", end, "--out", (out() / "whole").string()})), 0) << errors();
  expect_same_state(train::checkpoint_path(out(), stopped + 3),
                    train::checkpoint_path(out() / "whole", stopped + 3));
}

TEST_F(ParallelTool, AnErrorInOneEndsAll) {
  // The second process gets the path of a configuration that does not exist.
  launcher_ = two_;
  for (const char* word :
       {"sh", "-c", R"([ $OMPI_COMM_WORLD_RANK = 1 ] && exec "$0" /nowhere.json; exec "$0" "$@")"})
    launcher_.emplace_back(word);
  EXPECT_EQ(run_tiny(with({})), 1);
  EXPECT_NE(errors().find("mini_train: rank 1: read_file: cannot open /nowhere.json"),
            std::string::npos)
      << errors();
  EXPECT_EQ(errors().find("mini_train: rank 0"), std::string::npos) << errors();
  EXPECT_FALSE(fs::exists(out()));
}

TEST_F(ParallelTool, ErrorsOfAllAreTold) {
  launcher_ = two_;
  EXPECT_EQ(run_tiny(with({"--set", "data.batch=5"})), 1);
  EXPECT_NE(errors().find("data: batch 5 cannot be divided evenly among 2 processes"),
            std::string::npos)
      << errors();
  EXPECT_EQ(run_tiny({"--device", "cuda:63"}), 1);  // no such GPU, or no NCCL
  EXPECT_NE(errors().find(": cuda"), std::string::npos) << errors();
  EXPECT_EQ(run_tiny({"--profile-memory"}), 1);
  EXPECT_NE(errors().find("start it without mpirun"), std::string::npos) << errors();
  EXPECT_FALSE(fs::exists(out()));

  EXPECT_EQ(run_tiny(with({"--set", "loss.lambda_back=1e38"})), 1);
  EXPECT_NE(errors().find(": step 1: loss is inf; the weights after step 0"), std::string::npos)
      << errors();
  EXPECT_NO_THROW(train::load_checkpoint(train::find_checkpoint(out())));
}

// The same happens if mpirun belongs to another MPI, or if mini was built without MPI.
TEST_F(TrainTool, ProcessesThatCannotTalkAreRefused) {
  const Environment two("PMI_SIZE", "2"), no_leaks("ASAN_OPTIONS", "detect_leaks=0");
  EXPECT_EQ(run_tiny({}), 1);
  EXPECT_NE(errors().find("mini_train: this is one of 2 processes that mpirun started, but "),
            std::string::npos)
      << errors();
  EXPECT_FALSE(fs::exists(out()));
}

}  // namespace
}  // namespace mini
