#include "io/file.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <regex>
#include <string>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tensor/error.h"

namespace mini::io {
namespace {

// Linux moves at most 2 GiB a call.
constexpr std::size_t largest_transfer = std::size_t{1} << 30;
constexpr std::size_t longest_name = 255;  // bytes, of Linux's file systems

std::filesystem::path folder_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

}  // namespace

std::filesystem::path expand_home(const std::filesystem::path& path) {
  const char* const home = std::getenv("HOME");
  if (home == nullptr || path.empty() || *path.begin() != "~") return path;
  return home / path.lexically_relative("~");
}

InputFile::InputFile(std::filesystem::path path) : path_(std::move(path)) {
  // Without O_NONBLOCK opening a pipe would wait for its writer; regular files ignore the flag.
  descriptor_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  check(descriptor_ >= 0, "read_file: cannot open ", path_.string(), ": ", std::strerror(errno));
  struct stat status {};
  const bool known = ::fstat(descriptor_, &status) == 0;
  if (!known || !S_ISREG(status.st_mode)) {
    ::close(descriptor_);
    fail("read_file: ", path_.string(), " is ",
         known && S_ISDIR(status.st_mode) ? "a folder" : "no regular file");
  }
  size_ = static_cast<std::uint64_t>(status.st_size);
}

InputFile::~InputFile() { ::close(descriptor_); }

void InputFile::read_at(std::uint64_t offset, std::span<std::byte> to) const {
  while (!to.empty()) {
    const ::ssize_t count = ::pread(descriptor_, to.data(), std::min(to.size(), largest_transfer),
                                    static_cast<::off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    check(count >= 0, "read_file: cannot read ", path_.string(), ": ", std::strerror(errno));
    check(count > 0, "read_file: ", path_.string(), " ends at byte ", offset, ", ", to.size(),
          " bytes too early");
    offset += static_cast<std::uint64_t>(count);
    to = to.subspan(static_cast<std::size_t>(count));
  }
}

Bytes read_file(const std::filesystem::path& path, std::size_t limit) {
  const InputFile file(path);
  check(file.size() <= limit, "read_file: ", path.string(), " has ", file.size(),
        " bytes, more than the ", limit, " allowed here");
  Bytes bytes(file.size());
  file.read_at(0, bytes);
  return bytes;
}

template <class Make>
int AtomicFile::named(const Make& make) {
  // The next number where a killed process with the same process number left a file.
  int result = -1;
  for (int attempt = 0; attempt < 100 && result < 0; ++attempt) {
    const std::string end = concat_text(".tmp.", ::getpid(), '.', attempt);
    const std::string name = path_.filename().string();
    temporary_ = path_;
    temporary_.replace_filename(name.substr(0, longest_name - end.size()) + end);
    result = make(temporary_);
    if (result < 0 && errno != EEXIST) break;
  }
  if (result < 0) temporary_.clear();
  return result;
}

AtomicFile::AtomicFile(std::filesystem::path path) : path_(std::move(path)) {
  if (::access("/proc/self/fd", X_OK) == 0)  // through which it gets its name
    descriptor_ = ::open(folder_of(path_).c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
  if (descriptor_ < 0)  // not every file system has files without names
    descriptor_ = named([](const std::filesystem::path& name) {
      return ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    });
  if (descriptor_ < 0) fail_with_errno("cannot create a file beside ");
  ::flock(descriptor_, LOCK_EX | LOCK_NB);
}

AtomicFile::~AtomicFile() {
  if (!committed_ && !temporary_.empty()) ::unlink(temporary_.c_str());
  if (descriptor_ >= 0) ::close(descriptor_);
}

void AtomicFile::fail_with_errno(const char* what) const {
  fail("write_file: ", what, path_.string(), ": ", std::strerror(errno));
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ::ssize_t count =
        ::write(descriptor_, bytes.data(), std::min(bytes.size(), largest_transfer));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail_with_errno("cannot write ");
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
}

void AtomicFile::commit() {
  if (::fsync(descriptor_) != 0) fail_with_errno("cannot put on disk ");
  if (temporary_.empty()) {
    const std::string handle = concat_text("/proc/self/fd/", descriptor_);
    const int linked = named([&](const std::filesystem::path& name) {
      return ::linkat(AT_FDCWD, handle.c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW);
    });
    if (linked != 0) fail_with_errno("cannot name ");
  }
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail_with_errno("cannot replace ");
  committed_ = true;
  const int closed = ::close(descriptor_);
  descriptor_ = -1;
  if (closed != 0) fail_with_errno("cannot close ");
  // The rename itself is on disk once the folder is. Some file systems have no fsync for folders.
  const int handle = ::open(folder_of(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (handle < 0) return;  // the folder may be written to but not listed
  const int result = ::fsync(handle);
  const int reason = errno;
  ::close(handle);
  errno = reason;
  if (result != 0 && reason != EINVAL) fail_with_errno("cannot put on disk the folder of ");
}

void write_file_atomically(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

void write_file_atomically(const std::filesystem::path& path, std::string_view text) {
  write_file_atomically(path, as_bytes(text));
}

void remove_stale_temporaries(const std::filesystem::path& folder) {
  const std::regex temporary(R"(.+\.tmp\.[0-9]{1,9}\.[0-9]{1,2})");
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (!entry.is_regular_file() || entry.is_symlink() || !std::regex_match(name, temporary))
      continue;
    const int descriptor = ::open(entry.path().c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (descriptor < 0) continue;
    std::error_code ignored;
    if (::flock(descriptor, LOCK_EX | LOCK_NB) == 0) std::filesystem::remove(entry.path(), ignored);
    ::close(descriptor);
  }
}

}  // namespace mini::io
