// Checkpoints of training: round trip, damaged files, retention, a full disk.
#include "train/checkpoint.h"

#include <csignal>
#include <sys/resource.h>

#include "infer/weights.h"
#include "io/file.h"
#include "io/safetensors.h"
#include "tests/support/support.h"

namespace mini::train {
namespace {
namespace fs = std::filesystem;

Checkpoint example(std::int64_t step, std::int64_t size = 4) {
  Checkpoint checkpoint;
  checkpoint.position = {step, 0};
  checkpoint.validated = step / 2;
  checkpoint.noise = {.seed = 0xFFFFFFFFFFFFFFFFull, .offset = 12345678901234ull};
  checkpoint.best_score = 1.0 / 3;
  checkpoint.config = "{\"train\": {\"lr\": 0.1}}\n";
  checkpoint.model = {{"conv.weight", Tensor::full({size}, 0.5 + static_cast<double>(step))},
                      {"conv.bias", Tensor::ones({2}, DType::float64)}};
  checkpoint.optimizer = {{"conv.weight.mean", Tensor::ones({4})},
                          {"conv.weight.step", Tensor::full({1}, 7, DType::int64)}};
  return checkpoint;
}

void expect_equal(const Checkpoint& a, const Checkpoint& b) {
  EXPECT_EQ(a.position, b.position);
  EXPECT_EQ(a.validated, b.validated);
  EXPECT_EQ(a.noise, b.noise);
  EXPECT_EQ(a.best_score, b.best_score);
  EXPECT_EQ(a.config, b.config);
  for (const auto& [x, y] : {std::pair(a.model, b.model), std::pair(a.optimizer, b.optimizer)}) {
    ASSERT_EQ(x.size(), y.size());
    for (const auto& [name, tensor] : x) {
      ASSERT_TRUE(y.contains(name)) << name;
      EXPECT_TRUE(test::equal_bits(tensor, y.at(name))) << name;
    }
  }
}

TEST(Checkpoint, ReadsBackWhatWasSaved) {
  test::TemporaryFolder folder;
  const fs::path path = checkpoint_path(folder.path(), 42);
  EXPECT_EQ(path.filename(), "step_000000042.safetensors");
  save_checkpoint(path, example(42));
  expect_equal(load_checkpoint(path), example(42));
  Checkpoint fresh = example(0);
  fresh.best_score = -std::numeric_limits<double>::infinity();
  save_checkpoint(path, fresh);
  expect_equal(load_checkpoint(path), fresh);
}

TEST(Checkpoint, LatestIsFoundByStep) {
  test::TemporaryFolder folder;
  EXPECT_NE(test::error_of([&] { find_checkpoint(folder.path()); }).find("holds no checkpoint"),
            std::string::npos);
  EXPECT_NE(test::error_of([&] { find_checkpoint(folder.path() / "no"); }).find("no such file"),
            std::string::npos);
  for (const std::int64_t step : {9, 1'000'000'000, 100})
    save_checkpoint(checkpoint_path(folder.path(), step), example(step));
  save_checkpoint(folder.path() / "best.safetensors", example(5));
  io::write_file_atomically(folder.path() / "step_99999999999999999999.safetensors", "stray");
  EXPECT_EQ(find_checkpoint(folder.path()), checkpoint_path(folder.path(), 1'000'000'000));
  EXPECT_EQ(find_checkpoint(folder.path() / "best.safetensors"),
            folder.path() / "best.safetensors");
}

TEST(Checkpoint, KeepsTheLastOnes) {
  test::TemporaryFolder folder;
  const auto steps_left = [&] {
    std::vector<std::int64_t> steps;
    for (const fs::path& path : list_checkpoints(folder.path()))
      steps.push_back(load_checkpoint(path).position.step);
    return steps;
  };
  for (const std::int64_t step : {10, 20, 30, 40})
    save_checkpoint(checkpoint_path(folder.path(), step), example(step));
  save_checkpoint(folder.path() / "best.safetensors", example(5));
  remove_old_checkpoints(folder.path(), 40, 3);
  EXPECT_EQ(steps_left(), (std::vector<std::int64_t>{20, 30, 40}));
  // The run was resumed at 20 and saved at 25, so 30 and 40 belong to an abandoned run.
  save_checkpoint(checkpoint_path(folder.path(), 25), example(25));
  remove_old_checkpoints(folder.path(), 25, 3);
  EXPECT_EQ(steps_left(), (std::vector<std::int64_t>{20, 25}));
  EXPECT_TRUE(fs::exists(folder.path() / "best.safetensors"));
}

TEST(Checkpoint, RefusesOtherAndDamagedFiles) {
  test::TemporaryFolder folder;
  const fs::path path = folder.path() / "weights.safetensors";
  io::write_safetensors(path, {{{"w", Tensor::ones({3})}}, {}});
  EXPECT_NE(test::error_of([&] { load_checkpoint(path); }).find("is no checkpoint of mini_train"),
            std::string::npos);

  save_checkpoint(path, example(1));
  const io::Bytes whole = io::read_file(path);
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{7}, whole.size() / 2, whole.size() - 1}) {
    io::write_file_atomically(path, std::span(whole).first(size));
    EXPECT_NE(test::error_of([&] { load_checkpoint(path); }).find(path.string()),
              std::string::npos);
  }
  io::TensorFile file = io::parse_safetensors(whole);
  file.metadata["step"] = "12x";
  io::write_safetensors(path, file);
  EXPECT_NE(
      test::error_of([&] { load_checkpoint(path); }).find("step in its metadata is no number"),
      std::string::npos);
}

// A limit on the file size fails like a full disk: some bytes are written, then none.
TEST(Checkpoint, FullDiskLeavesTheOneBeforeLoadable) {
  test::TemporaryFolder folder;
  const fs::path path = checkpoint_path(folder.path(), 1);
  save_checkpoint(path, example(1));

  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto old_action = std::signal(SIGXFSZ, SIG_IGN);  // write() then returns an error
  const rlimit tight{100'000, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &tight), 0);
  const std::string error = test::error_of([&] { save_checkpoint(path, example(2, 1'000'000)); });
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, old_action);

  EXPECT_NE(error.find(path.string()), std::string::npos) << error;
  expect_equal(load_checkpoint(path), example(1));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator()), 1);
}

TEST(ReadWeights, TakesTheModelOutOfACheckpoint) {
  test::TemporaryFolder folder;
  const fs::path path = folder.path() / "x.safetensors";
  save_checkpoint(path, example(3));
  const nn::StateDict weights = infer::read_weights(path);
  ASSERT_EQ(weights.size(), 2u);
  EXPECT_TRUE(weights.contains("conv.bias"));
  io::write_safetensors(path, {{{"model.w", Tensor::ones({3})}}, {}});
  EXPECT_TRUE(infer::read_weights(path).contains("model.w"));
}

// The newest checkpoint is broken: the Error names the one to take instead.
TEST(EarlierCheckpoint, IsNamedWhereThereIsOne) {
  const test::TemporaryFolder folder;
  for (const std::int64_t step : {5, 10, 15, 20})
    io::write_file_atomically(checkpoint_path(folder.path(), step), "broken");
  const fs::path latest = find_checkpoint(folder.path());
  const std::string hint =
      "; the checkpoint before it is " + checkpoint_path(folder.path(), 15).string();
  EXPECT_TRUE(test::error_of([&] { load_checkpoint(latest); }).ends_with(hint));
  EXPECT_TRUE(test::error_of([&] { infer::read_weights(latest); }).ends_with(hint));
  const fs::path first = checkpoint_path(folder.path(), 5),
                 best = folder.path() / "best.safetensors";
  io::write_file_atomically(best, "broken");
  EXPECT_EQ(test::error_of([&] { load_checkpoint(first); }).find("before it"), std::string::npos);
  EXPECT_EQ(test::error_of([&] { infer::read_weights(best); }).find("before it"),
            std::string::npos);
}

// One changed bit in a tensor is noticed when the run goes on, not when the loss is infinite.
TEST(EarlierCheckpoint, IsNamedForDamageInsideATensor) {
  const test::TemporaryFolder folder;
  Checkpoint checkpoint;
  checkpoint.model = {{"w", Tensor::ones({100})}};
  for (const std::int64_t step : {1, 2})
    save_checkpoint(checkpoint_path(folder.path(), step), checkpoint);
  const fs::path latest = find_checkpoint(folder.path());
  io::Bytes bytes = io::read_file(latest);
  bytes[bytes.size() - 50] ^= std::byte{0x40};
  io::write_file_atomically(latest, bytes);
  const std::string error = test::error_of([&] { load_checkpoint(latest); });
  EXPECT_NE(error.find("tensor \"model.w\" is damaged"), std::string::npos) << error;
  EXPECT_NE(error.find("the checkpoint before it is"), std::string::npos) << error;
}

}  // namespace
}  // namespace mini::train
