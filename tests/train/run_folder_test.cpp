// The folder of a run: one process at a time, and no other folder of its name.
#include "train/run_folder.h"

#include "io/file.h"
#include "tests/support/support.h"

namespace mini::train {
namespace {
namespace fs = std::filesystem;

TEST(RunFolder, BelongsToOneRunAtATime) {
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "out/run";
  RunFolder::check_free(path);
  {
    const RunFolder run(path);
    const std::string error = test::error_of([&] { const RunFolder second(path); });
    EXPECT_EQ(error, "train: another process trains in " + path.string() +
                         "; wait for it, end it, or choose another folder (--out FOLDER)");
    EXPECT_EQ(test::error_of([&] { RunFolder::check_free(path); }), error);
  }
  RunFolder::check_free(path);
  const RunFolder again(path);
}

TEST(RunFolder, NoticesThatItIsGone) {
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "run";
  const RunFolder run(path);
  run.check_there();
  fs::rename(path, folder.path() / "moved");
  EXPECT_THROW(run.check_there(), Error);
  fs::create_directory(path);  // another of the same name
  EXPECT_THROW(run.check_there(), Error);
  fs::remove(path);
  fs::rename(folder.path() / "moved", path);
  run.check_there();
}

TEST(RunFolder, ClearsUpAfterKilledRuns) {
  const test::TemporaryFolder folder;
  const fs::path pictures = folder.path() / "pictures/step_000000003";
  fs::create_directories(pictures);
  for (const fs::path& half :
       {folder.path() / "best.safetensors.tmp.7.0", pictures / "a.png.tmp.7.0"})
    io::write_file_atomically(half, "half");
  io::write_file_atomically(pictures / "a.png", "whole");
  const RunFolder run(folder.path());
  EXPECT_FALSE(fs::exists(folder.path() / "best.safetensors.tmp.7.0"));
  EXPECT_FALSE(fs::exists(pictures / "a.png.tmp.7.0"));
  EXPECT_TRUE(fs::exists(pictures / "a.png"));
}

}  // namespace
}  // namespace mini::train
