// mini_bench as a program, and the script that compares it with PyTorch.
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <sys/wait.h>

#include "io/file.h"
#include "io/safetensors.h"
#include "models/rescaler.h"
#include "tensor/random.h"
#include "tests/support/networks.h"
#include "tests/support/support.h"

namespace mini {
namespace {
namespace fs = std::filesystem;

class BenchTool : public ::testing::Test {
 protected:
  // Returns the exit code; output() and errors() have the printed text. It uses one thread, since
  // several threads that wait for each other are slow on a busy machine.
  int shell(const std::string& command) {
    const std::string line =
        concat_text("export MINI_NUM_THREADS=1; ( ", command, " ) >", at("out"), " 2>", at("err"));
    const int status = std::system(line.c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  int run(const std::string& arguments) { return shell(concat_text(tool(), ' ', arguments)); }
  // A Python interpreter with these modules; empty if there is none.
  std::string python(const std::string& modules) {
    for (const char* candidate : {"/usr/bin/python3", "python3"})
      if (shell(concat_text(candidate, " -c 'import ", modules, "'")) == 0) return candidate;
    return {};
  }
  static fs::path tool() { return fs::path(MINI_BINARY_DIR) / "tools/mini_bench"; }
  fs::path at(const std::string& name) const { return folder_.path() / name; }
  std::string read(const std::string& name) const {
    const io::Bytes bytes = io::read_file(at(name));
    return std::string(io::as_text(bytes));
  }

 private:
  test::TemporaryFolder folder_;
};

TEST_F(BenchTool, ReportsAsTableAndJson) {
  const std::string block = "--runs 1 dense_block --channels 3 --outputs 9 --batch 2 --size 4";
  ASSERT_EQ(run(block + " --json -"), 0) << read("err");
  const auto json = nlohmann::json::parse(read("out"));
  EXPECT_GT(json.at("peak_gflops").get<double>(), 0);
  ASSERT_EQ(json.at("measurements").size(), 4u);
  const double products = 9.0 * (32 * (3 + 35 + 67 + 99) + 9 * 131) * 2 * 4 * 4;
  EXPECT_DOUBLE_EQ(json["measurements"][0].at("gflop").get<double>(), 2e-9 * products);
  EXPECT_DOUBLE_EQ(json["measurements"][3].at("gflop").get<double>(), 4e-9 * products);
  EXPECT_GT(json["measurements"][0].at("seconds").get<double>(), 0);

  ASSERT_EQ(run(block), 0);
  EXPECT_NE(read("out").find("gradient of x and parameters"), std::string::npos);
  EXPECT_NE(read("out").find("peak of multiply-adds"), std::string::npos);
}

TEST_F(BenchTool, ProductsCountTheirMultiplyAdds) {
  ASSERT_EQ(
      run("--runs 1 products --channels 3 --outputs 5 --batch 2 --size 6 --sides 4 7 --json -"), 0)
      << read("err");
  const auto rows = nlohmann::json::parse(read("out")).at("measurements");
  ASSERT_EQ(rows.size(), 11u);
  const auto expect = [&](std::size_t row, const std::string& name, double products) {
    EXPECT_EQ(rows[row].at("name"), name);
    EXPECT_DOUBLE_EQ(rows[row].at("gflop").get<double>(), 2e-9 * products);
    EXPECT_GT(rows[row].at("seconds").get<double>(), 0);
  };
  expect(0, "3x3", 2 * 5 * 6 * 6 * 3 * 9);
  expect(4, "1x1, gradient of x", 2 * 5 * 6 * 6 * 3);
  expect(8, "3x3, stride 2, gradient of w", 2 * 5 * 3 * 3 * 3 * 9);
  expect(10, "matrix product of 7", 7 * 7 * 7);
}

TEST_F(BenchTool, StepWritesResultsAndAnswersRequests) {
  Generator generator{5, 0};
  const auto network = test::make_network("sain", {}, generator);
  io::TensorFile file{network->state_dict(), {}};
  file.tensors["bench.hr"] = ops::uniform(generator, {1, 3, 16, 16});
  EXPECT_EQ((io::write_safetensors(at("in"), file),
             run(concat_text("step --from ", at("in"), " --results ", at("results")))),
            1);
  EXPECT_NE(read("err").find("holds no bench.z or no bench.lr_reference"), std::string::npos);

  file.tensors["bench.lr_reference"] = ops::uniform(generator, {1, 3, 8, 8});
  file.tensors["bench.z"] = ops::normal(generator, {1, 9, 8, 8});
  io::write_safetensors(at("in"), file);
  ASSERT_EQ(shell(concat_text("printf 'one\\ntwo\\n' | ", tool(), " step --on-request --from ",
                              at("in"), " --results ", at("results"))),
            0)
      << read("err");
  std::istringstream lines(read("out"));
  int answers = 0;
  for (std::string line; std::getline(lines, line); ++answers)
    EXPECT_GT(nlohmann::json::parse(line).at("seconds").get<double>(), 0);
  EXPECT_EQ(answers, 2);
  const io::TensorFile results = io::read_safetensors(at("results"));
  EXPECT_TRUE(results.tensors.contains("loss.l_back_rec"));
  EXPECT_TRUE(results.tensors.contains("grad.down_operations.0.E.conv1.weight"));
}

TEST_F(BenchTool, RefusesWhatItCannotRead) {
  EXPECT_EQ(run(concat_text("roundtrip --from ", at("missing"))), 1);
  EXPECT_NE(read("err").find("missing"), std::string::npos);
  EXPECT_NE(run("dense_block --size zero"), 0);
}

TEST_F(BenchTool, DriftTellsOfAnImageTooSmall) {
  EXPECT_EQ(run(concat_text("drift --size 256 --image ", MINI_SOURCE_DIR,
                            "/data/photos/held_out/chelsea.png")),
            1);
  EXPECT_NE(read("err").find("is 147x300, the part to use 256x256"), std::string::npos)
      << read("err");
}

// The script that measures memory and drift, at small sizes.
TEST_F(BenchTool, MemoryScriptFindsTheModesInOrder) {
  const std::string interpreter = python("json");
  if (interpreter.empty()) GTEST_SKIP() << "no Python";
  ASSERT_EQ(shell(concat_text(interpreter, ' ', MINI_SOURCE_DIR, "/tools/bench/memory.py --bench ",
                              tool(), " --threads 1 --quick --json ", at("report"))),
            0)
      << read("out") << read("err");
  const auto report = nlohmann::json::parse(read("report"));
  const auto& peaks = report.at("depth").at("activation_bytes");
  const auto grown = [&](const char* mode) {
    return peaks.at(mode)[1].get<double>() / peaks.at(mode)[0].get<double>();
  };
  EXPECT_LT(grown("reversible"), 1.01);
  EXPECT_GT(grown("stored"), 1.5);
  EXPECT_LT(peaks["exact"][1].get<double>(), 0.3 * peaks["stored"][1].get<double>());
  for (const auto& [name, weights] : report.at("drift").items())
    for (const auto& part : weights.at("parts")) {
      EXPECT_EQ(part.at("exact_elements_that_differ").get<int>(), 0);
      EXPECT_EQ(part.at("exact_gradient_error").get<double>(), 0);
      EXPECT_LT(part.at("all").at("bytes_per_element").get<double>(), 1.1);
      const double rounding = part.at("dtype") == "float32" ? 6e-8 : 1.1e-16;
      const double error = part.at("drift").back().at("relative").get<double>();
      if (name == "untrained") {
        EXPECT_EQ(error, 0);  // subnets return 0 and scales are 1, so nothing is rounded
      } else {
        EXPECT_GT(error, rounding / 4);
        EXPECT_LT(error, 100 * rounding);
      }
    }
}

TEST_F(BenchTool, BusyMachineScriptMeasuresBoth) {
  const std::string interpreter = python("json");
  if (interpreter.empty()) GTEST_SKIP() << "no Python";
  ASSERT_EQ(
      shell(concat_text(interpreter, ' ', MINI_SOURCE_DIR, "/tools/bench/busy_machine.py --bench ",
                        tool(), " --quick --json ", at("report"))),
      0)
      << read("out") << read("err");
  const auto report = nlohmann::json::parse(read("report"));
  ASSERT_EQ(report.size(), 1u);
  for (const char* state : {"idle", "busy"}) {
    ASSERT_EQ(report.begin()->at(state).size(), 2u);
    for (const auto& seconds : report.begin()->at(state)) EXPECT_GT(seconds.get<double>(), 0);
  }
}

// The whole of SAIN x2 against the same network in PyTorch: round trip, losses and all gradients.
TEST_F(BenchTool, AgreesWithPyTorch) {
  const std::string interpreter = python("torch, numpy, PIL");
  if (interpreter.empty()) GTEST_SKIP() << "no Python with PyTorch, NumPy and Pillow";
  EXPECT_EQ(shell(concat_text(interpreter, ' ', MINI_SOURCE_DIR,
                              "/tools/bench/compare_pytorch.py --bench ", tool(),
                              " --threads 1 --rounds 1 --batch 1 --patch 32 --size 32")),
            0)
      << read("out") << read("err");
  EXPECT_NE(read("out").find("all gradients"), std::string::npos);
}

}  // namespace
}  // namespace mini
