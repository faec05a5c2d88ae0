#include "io/file.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <regex>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

#include "tensor/error.h"

namespace mini::io {
namespace {

// Linux moves at most 2 GiB a call.
constexpr std::size_t largest_transfer = std::size_t{1} << 30;

}  // namespace

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

AtomicFile::AtomicFile(std::filesystem::path path) : path_(std::move(path)) {
  // Takes the next number where a killed process with the same process number left a file.
  for (int attempt = 0; attempt < 100 && descriptor_ < 0; ++attempt) {
    temporary_ = path_;
    temporary_ += ".tmp." + std::to_string(::getpid()) + "." + std::to_string(attempt);
    descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor_ < 0 && errno != EEXIST) break;
  }
  if (descriptor_ < 0) fail_with_errno("cannot create a file beside ");
}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!committed_) ::unlink(temporary_.c_str());
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
  const int closed = ::close(descriptor_);
  descriptor_ = -1;
  if (closed != 0) fail_with_errno("cannot close ");
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail_with_errno("cannot replace ");
  committed_ = true;
  // The rename itself is on disk once the folder is. Some file systems have no fsync for folders.
  const auto folder = path_.has_parent_path() ? path_.parent_path() : std::filesystem::path(".");
  const int handle = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
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
  const std::regex temporary(R"(.+\.tmp\.([0-9]{1,9})\.[0-9]{1,2})");
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    std::smatch parts;
    if (!entry.is_regular_file() || !std::regex_match(name, parts, temporary)) continue;
    const int process = std::stoi(parts[1]);
    // Signal 0 only tests whether the process lives; process 0 would mean this process's group.
    std::error_code ignored;
    if (process > 0 && ::kill(process, 0) != 0 && errno == ESRCH)
      std::filesystem::remove(entry.path(), ignored);
  }
}

}  // namespace mini::io
