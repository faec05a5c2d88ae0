// A folder with two photographs and a small network, in which tests run mini_infer.
#pragma once

#include <cstdlib>
#include <fstream>
#include <gtest/gtest.h>
#include <map>
#include <memory>
#include <string>
#include <sys/wait.h>

#include "infer/picture.h"
#include "infer/scaler.h"
#include "io/file.h"
#include "io/image.h"
#include "io/safetensors.h"
#include "models/rescaler.h"
#include "tensor/random.h"
#include "tests/support/networks.h"
#include "tests/support/support.h"
#include "tests/tools/content.h"

namespace mini {
namespace fs = std::filesystem;

class InferTool : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(at("photos"));
    Generator generator{1, 0};
    for (const char* name : {"one.png", "two.png"})
      io::write_image(at("photos") / name,
                      infer::enlarge(io::to_image(ops::uniform(generator, {1, 3, 11, 13})), 3));
    network_ = small_network("sain");
    io::write_safetensors(at("sain.safetensors"), {network_->state_dict(), {}});
  }

  static std::unique_ptr<models::Rescaler> small_network(const std::string& name) {
    Generator generator{5, 0};
    return test::make_network(name, {.growth = 8}, generator);
  }
  fs::path at(const std::string& name) const { return folder_.path() / name; }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(at(name), std::ios::binary) << text;
  }
  Tensor photo() const { return io::read_image(at("photos/one.png")); }

  // Runs in the test's folder, after the shell command `setting`. It uses one thread unless
  // --threads says otherwise, since images are small, and threads that wait for each other are slow
  // on a busy machine. Returns the exit code; output() and errors() have the printed text.
  int run(const std::string& arguments, const std::string& setting = "true") {
    const std::string command =
        concat_text("cd ", folder_.path(), " && ", setting, " && MINI_NUM_THREADS=1 ", program_,
                    " >", logs_.path() / "out", " 2>", logs_.path() / "err", ' ', arguments);
    const int status = std::system(command.c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  std::string output() const { return content(logs_.path() / "out"); }
  std::string errors() const { return content(logs_.path() / "err"); }

  // All files in the test's folder, with their content.
  std::map<std::string, std::string> files() const {
    std::map<std::string, std::string> all;
    for (const auto& item : fs::recursive_directory_iterator(folder_.path()))
      if (item.is_regular_file()) all[item.path().string()] = content(item.path());
    return all;
  }
  // The command must return 1, print `message` after its name to stderr, and change no file.
  void expect_failure(const std::string& arguments, const std::string& message,
                      const std::string& setting = "true") {
    const auto before = files();
    EXPECT_EQ(run(arguments, setting), 1) << arguments;
    EXPECT_TRUE(errors().starts_with("mini_infer: ")) << errors();
    EXPECT_NE(errors().find(message), std::string::npos) << arguments << "\n" << errors();
    EXPECT_TRUE(files() == before) << arguments << ": changed a file";
  }

  fs::path program_ = fs::path(MINI_BINARY_DIR) / "tools/mini_infer";
  test::TemporaryFolder folder_, logs_;
  std::unique_ptr<models::Rescaler> network_;
};

}  // namespace mini
