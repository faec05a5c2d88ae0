// Runs mini_train as a program, on its own images, in a temporary folder.
#pragma once

#include <chrono>
#include <cstdio>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

#include "infer/picture.h"
#include "io/file.h"
#include "io/image.h"
#include "tensor/random.h"
#include "tests/support/support.h"
#include "tests/tools/content.h"

namespace mini {
namespace fs = std::filesystem;
using Words = std::vector<std::string>;

inline const std::string train_program = std::string(MINI_BINARY_DIR) + "/tools/mini_train";
inline const fs::path configs = fs::path(MINI_SOURCE_DIR) / "configs";

class TrainTool : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(photos());
    Generator generator{1, 0};
    for (const int i : {0, 1, 2})
      io::write_image(photos() / ("photo" + std::to_string(i) + ".png"),
                      infer::enlarge(io::to_image(ops::uniform(generator, {1, 3, 8, 10})), 4));
  }

  fs::path photos() const { return folder_.path() / "photos"; }
  fs::path out() const { return folder_.path() / "out"; }
  std::string errors() const { return content(folder_.path() / "stderr"); }
  std::string output() const { return content(folder_.path() / "stdout"); }

  pid_t start(Words arguments) const {
    arguments.insert(arguments.begin(), train_program);
    return start_program(std::move(arguments));
  }
  pid_t start_program(Words arguments) const {
    arguments.insert(arguments.begin(), launcher_.begin(), launcher_.end());
    std::vector<char*> pointers;
    for (std::string& argument : arguments) pointers.push_back(argument.data());
    pointers.push_back(nullptr);
    const pid_t child = fork();
    if (child == 0) {
      const bool redirected =
          std::freopen((folder_.path() / "stdout").c_str(), "w", stdout) != nullptr &&
          std::freopen((folder_.path() / "stderr").c_str(), "w", stderr) != nullptr;
      for (const auto& [name, value] : environment_) setenv(name.c_str(), value.c_str(), 1);
      if (redirected) execvp(pointers[0], pointers.data());
      _exit(127);
    }
    return child;
  }
  // The project's tiny configuration, for the images of this test.
  Words tiny(const Words& arguments) const {
    Words all{(configs / "tiny.json").string(),
              "--set",
              "data.train=" + photos().string(),
              "--set",
              "validation.folders=" + photos().string(),
              "--out",
              out().string()};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return all;
  }
  pid_t start_tiny(const Words& arguments) const { return start(tiny(arguments)); }
  static int exit_code(pid_t child) {
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  int run_tiny(const Words& arguments) const { return exit_code(start_tiny(arguments)); }
  int run(Words arguments) const { return exit_code(start(std::move(arguments))); }
  // Waits until a text occurs in the log of the run.
  void wait_for_log(const std::string& text) const {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    const fs::path log = out() / "log.jsonl";
    while (!fs::exists(log) || content(log).find(text) == std::string::npos) {
      ASSERT_LT(std::chrono::steady_clock::now(), give_up);
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }

  Words launcher_;  // the launcher of the program, with its arguments; empty: none
  std::vector<std::pair<std::string, std::string>> environment_;  // variables that are set
  test::TemporaryFolder folder_;
};

}  // namespace mini
