// Whole files: reading, and replacing atomically, also when the disk is full.
#include "io/file.h"

#include <algorithm>
#include <csignal>
#include <fcntl.h>
#include <fstream>
#include <sys/file.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/support/support.h"

namespace mini::io {
namespace {

namespace fs = std::filesystem;

std::size_t files_in(const fs::path& folder) {
  return static_cast<std::size_t>(
      std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

// For its lifetime no file of this process may grow beyond `bytes`: a write then falls short and
// the next one fails, exactly as on a full disk (with EFBIG for ENOSPC).
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    rlimit limit = before_;
    limit.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  void (*handler_)(int);
  rlimit before_{};
};

TEST(File, WritesAndReads) {
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "file";
  write_file_atomically(path, "one");
  write_file_atomically(path, "second");
  EXPECT_EQ(as_text(read_file(path)), "second");
  write_file_atomically(path, "");
  EXPECT_TRUE(read_file(path).empty());
  EXPECT_EQ(files_in(folder.path()), 1U);
}

TEST(File, NewFilesHaveTheUsualPermissions) {
  const test::TemporaryFolder folder;
  std::ofstream(folder.path() / "plain") << "x";
  write_file_atomically(folder.path() / "atomic", "x");
  EXPECT_EQ(fs::status(folder.path() / "plain").permissions(),
            fs::status(folder.path() / "atomic").permissions());
}

TEST(File, ErrorsNameThePathAndTheReason) {
  const test::TemporaryFolder folder;
  const std::string missing = (folder.path() / "missing").string();
  EXPECT_EQ(test::error_of([&] { read_file(missing); }),
            "read_file: cannot open " + missing + ": No such file or directory");
  EXPECT_EQ(test::error_of([&] { read_file(folder.path()); }),
            "read_file: " + folder.path().string() + " is a folder");
  EXPECT_NE(test::error_of([&] { read_file("/dev/zero"); }).find("no regular file"),
            std::string::npos);
  EXPECT_EQ(
      test::error_of([&] { write_file_atomically(missing + "/file", "x"); }),
      "write_file: cannot create a file beside " + missing + "/file: No such file or directory");
}

TEST(File, RefusesMoreThanTheLimit) {
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "file";
  write_file_atomically(path, "12345");
  EXPECT_EQ(read_file(path, 5).size(), 5U);
  EXPECT_NE(test::error_of([&] { read_file(path, 4); }).find("more than the 4 allowed"),
            std::string::npos);
}

TEST(File, AFullDiskLeavesTheOldFile) {
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "checkpoint";
  write_file_atomically(path, "old");
  const Bytes large(100'000, std::byte{7});
  std::string text;
  {
    const FileSizeLimit limit(65536);
    text = test::error_of([&] { write_file_atomically(path, large); });
  }
  EXPECT_EQ(text, "write_file: cannot write " + path.string() + ": File too large");
  EXPECT_EQ(as_text(read_file(path)), "old");
  EXPECT_EQ(files_in(folder.path()), 1U) << "the temporary file was left behind";
  write_file_atomically(path, large);
  EXPECT_EQ(read_file(path), large);
}

TEST(File, WithoutCommitNothingChanges) {
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "file";
  write_file_atomically(path, "old");
  {
    AtomicFile file(path);
    file.write(as_bytes("new"));
  }
  EXPECT_EQ(as_text(read_file(path)), "old");
  EXPECT_EQ(files_in(folder.path()), 1U);
}

TEST(File, TemporariesOfTheDeadAreRemoved) {
  const test::TemporaryFolder folder;
  const pid_t dead = 999'999'999;  // beyond the largest that Linux gives, 2^22
  const auto name = [](pid_t process, const char* end) {
    return concat_text("x.safetensors.tmp.", process, end);
  };
  write_file_atomically(folder.path() / name(dead, ".0"), "half");
  write_file_atomically(folder.path() / name(dead, ".12"), "half");
  remove_stale_temporaries(folder.path());
  EXPECT_EQ(files_in(folder.path()), 0U);

  // The owner of a temporary holds a lock on it, be it in another container under the same number.
  const std::string held = name(7, ".0");
  const std::string kept[] = {"x.tmp", held, name(dead, ""), name(dead, "."), name(dead, ".0.png")};
  for (const std::string& other : kept) write_file_atomically(folder.path() / other, "whole");
  const int owner = ::open((folder.path() / held).c_str(), O_RDONLY);
  ASSERT_EQ(::flock(owner, LOCK_EX), 0);
  remove_stale_temporaries(folder.path());
  EXPECT_EQ(files_in(folder.path()), std::size(kept));
  ::close(owner);
  remove_stale_temporaries(folder.path());
  EXPECT_EQ(files_in(folder.path()), std::size(kept) - 1);
}

TEST(File, AFolderIsNotReplaced) {
  const test::TemporaryFolder folder;
  fs::create_directory(folder.path() / "sub");
  EXPECT_NE(test::error_of([&] {
              write_file_atomically(folder.path() / "sub", "x");
            }).find("cannot replace"),
            std::string::npos);
  EXPECT_EQ(files_in(folder.path()), 1U);
}

TEST(File, ReadsAtAnyPlace) {
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "file";
  write_file_atomically(path, "0123456789");
  const InputFile file(path);
  Bytes part(3);
  file.read_at(4, part);
  EXPECT_EQ(as_text(part), "456");
  EXPECT_NE(test::error_of([&] { file.read_at(8, part); }).find("1 bytes too early"),
            std::string::npos);
}

}  // namespace
}  // namespace mini::io
