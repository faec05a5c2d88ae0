// Whatever happens to a run, nothing is lost but the steps since the last save: killed at any moment, on a
// full or a failing disk, it goes on to the same weights and the same log, and leaves nothing behind.
// MINI_KILLS=200 kills so many runs.
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <set>

#include "tests/tools/infer_tool.h"
#include "tests/tools/train_tool.h"
#include "train/checkpoint.h"

namespace mini {
namespace {

class Durability : public TrainTool {
 protected:
  // A run with saves, validations and lines of the log that do not fall together.
  Words run_in(const fs::path& folder, int steps, const Words& more = {}) const {
    Words words = tiny({"--steps", std::to_string(steps), "--threads", "1"});
    for (const char* assignment :
         {"checkpoint.every=3", "validation.every=7", "log.every=4", "log.tensorboard=false",
          "validation.images=1", "validation.pictures=1", "train.schedule.type=multistep"})
      words.insert(words.end(), {"--set", assignment});
    *(std::find(words.begin(), words.end(), "--out") + 1) = folder.string();
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  // The same with a fault in the calls that write to it (tests/faults).
  int run_with_fault(const fs::path& folder, int steps, const std::string& fault,
                     const Words& more = {}) {
    environment_ = {{"LD_PRELOAD", MINI_FAULTS},
                    {"MINI_FAULT", fault},
                    {"MINI_FAULT_FOLDER", folder.string()},
                    {"ASAN_OPTIONS", "verify_asan_link_order=0"}};
    const int code = run(run_in(folder, steps, more));
    environment_.clear();
    return code;
  }
  static Words resume_if_possible(const fs::path& folder) {
    return train::list_checkpoints(folder).empty() ? Words{} : Words{"--resume"};
  }
  static std::set<std::string> names_in(const fs::path& folder) {
    std::set<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator(folder))
      names.insert(entry.path().lexically_relative(folder).string());
    return names;
  }
  // As if nothing had been: the last checkpoint, the log, the names of all files.
  static void expect_same_runs(const fs::path& a, const fs::path& b) {
    EXPECT_EQ(names_in(a), names_in(b));
    EXPECT_EQ(test::without_times(content(a / "log.jsonl")),
              test::without_times(content(b / "log.jsonl")));
    const auto tensors_of = [](const fs::path& run) {
      return io::read_safetensors(train::find_checkpoint(run)).tensors;
    };
    const auto first = tensors_of(a), second = tensors_of(b);
    ASSERT_EQ(first.size(), second.size());
    for (const auto& [name, tensor] : first)
      EXPECT_TRUE(test::equal_bits(tensor, second.at(name))) << name;
  }
};

TEST_F(Durability, RunsKilledAtAnyMomentGoOnAsIfNothingHadBeen) {
  const char* const wanted = std::getenv("MINI_KILLS");
  const int kills = wanted != nullptr ? std::atoi(wanted) : 24;
  constexpr int steps = 40;
  const fs::path whole = folder_.path() / "whole";
  const auto begin = std::chrono::steady_clock::now();
  ASSERT_EQ(run(run_in(whole, steps)), 0) << errors();
  const auto duration = std::chrono::steady_clock::now() - begin;

  Generator random{static_cast<std::uint64_t>(kills), 0};
  const auto draw = [&](double limit) {
    return limit * ops::uniform(random, {1}).to_vector().front();
  };
  int killed = 0, in_a_save = 0, runs = 0;
  while (killed < kills) {
    const fs::path folder = folder_.path() / concat_text("run", runs++);
    for (bool finished = false; !finished;) {
      int code = 0;
      const Words resume = resume_if_possible(folder);
      if (killed >= kills) {
        code = run(run_in(folder, steps, resume));
      } else if (killed % 2 == 0) {
        const pid_t child = start(run_in(folder, steps, resume));
        std::this_thread::sleep_for(draw(1) * duration);
        kill(child, SIGKILL);
        code = exit_code(child);
      } else {
        code = run_with_fault(folder, steps, concat_text("kill:", 1 + int(draw(40))), resume);
        in_a_save += code == -SIGKILL ? 1 : 0;
      }
      ASSERT_TRUE(code == 0 || code == -SIGKILL) << code << errors();
      finished = code == 0;
      killed += finished ? 0 : 1;
      if (!resume_if_possible(folder).empty()) {
        ASSERT_NO_THROW(train::load_checkpoint(train::find_checkpoint(folder)));
      }
    }
    expect_same_runs(folder, whole);
    fs::remove_all(folder);
  }
  std::cout << killed << " kills, " << in_a_save << " of them in a call that wrote; " << runs
            << " runs" << std::endl;
}

// A call that writes a checkpoint, a picture or the log fails: each of the first ones, then some on the way
// to the last.
TEST_F(Durability, FailingWritesAreErrorsAndLoseNothing) {
  constexpr int steps = 4;
  const fs::path whole = folder_.path() / "whole";
  ASSERT_EQ(run(run_in(whole, steps)), 0) << errors();
  int last = 0;
  for (const std::string kind : {"eio", "enospc", "short"}) {
    int runs = 0, failed = 0;
    bool all = false;
    for (int call = 1; !all; call += 1 + call / 5) {
      const fs::path folder = folder_.path() / concat_text(kind, call);
      const int code = run_with_fault(folder, steps, concat_text(kind, ':', call));
      ASSERT_TRUE(code == 0 || code == 1) << kind << call << ": " << code << errors();
      ++runs;
      if (code == 1) {
        ++failed;
        EXPECT_NE(errors().find("cannot "), std::string::npos) << kind << call << errors();
        ASSERT_EQ(run(run_in(folder, steps, resume_if_possible(folder))), 0) << errors();
      }
      expect_same_runs(folder, whole);
      fs::remove_all(folder);
      // The last call is behind us when none fails any more; a short write never does.
      all = kind == "short" ? call >= last : code == 0;
      last = std::max(last, call);
    }
    std::cout << kind << ": " << runs << " runs, " << failed << " failed" << std::endl;
    EXPECT_EQ(failed, kind == "short" ? 0 : runs - 1);
    EXPECT_GE(runs, 15);
  }
}

class InferDurability : public InferTool {};

TEST_F(InferDurability, AFailingWriteLeavesTheOldImage) {
  write("out.png", "the old result");
  for (const std::string kind : {"eio", "enospc", "kill"}) {
    int call = 0;
    for (bool all = false; !all && call < 100;) {
      const std::string setting =
          concat_text("export ASAN_OPTIONS=verify_asan_link_order=0 MINI_FAULT_FOLDER=",
                      folder_.path().string(), " MINI_FAULT=", kind, ':', ++call);
      const int code = run("downscale photos/one.png out.png --model bicubic",
                           setting + " LD_PRELOAD=" + MINI_FAULTS);
      all = code == 0;
      // The last call, when the folder is put on disk, comes after the old file was replaced.
      const std::string now = content(at("out.png"));
      if (now != "the old result") {
        EXPECT_EQ(io::read_image(at("out.png")).shape(), (Shape{17, 20, 3}));
        write("out.png", "the old result");
      }
    }
    EXPECT_GE(call, 4) << kind;
  }
  ASSERT_EQ(run("downscale photos . --model bicubic --format jpeg"), 0) << errors();
  for (const auto& [name, text] : files()) EXPECT_EQ(name.find(".tmp."), std::string::npos) << name;
}

}  // namespace
}  // namespace mini
