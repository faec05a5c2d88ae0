// Whole files in and out, and the one way in which mini replaces a file: all of it or nothing.
//
// Read next: io/safetensors.h, whose checkpoints are written through AtomicFile.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

namespace mini::io {

using Bytes = std::vector<std::byte>;

inline std::span<const std::byte> as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}
inline std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// The path with "~" at its beginning replaced by the home folder, as a shell does where it sees one.
std::filesystem::path expand_home(const std::filesystem::path& path);

// A regular file, open for reading at any place. Every error names the path and the reason.
class InputFile {
 public:
  explicit InputFile(std::filesystem::path path);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::uint64_t size() const { return size_; }
  // Fills `to` from byte `offset` on; a file that ends before is an Error.
  void read_at(std::uint64_t offset, std::span<std::byte> to) const;

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
};

inline constexpr std::size_t default_file_limit = std::size_t{4} << 30;

// The whole file. One larger than `limit` bytes is an Error, raised before memory is taken.
Bytes read_file(const std::filesystem::path& path, std::size_t limit = default_file_limit);

// Replaces a file in one step: what is written goes to a temporary file in the same folder, and
// commit() puts that on disk (fsync) and in the place of the old one (rename, fsync of the folder).
// Whatever fails before, a full disk or the process itself, leaves the old file as it was; the
// temporary is removed by the destructor.
//
// The temporary has no name until commit() (O_TMPFILE), so a killed process leaves nothing. Where the
// file system has no such files, or the kill comes between naming and renaming, it leaves
// NAME.tmp.PROCESS.NUMBER; remove_stale_temporaries takes that away. Its owner holds a lock on it
// (flock), which ends with the process, in whatever container that ran.
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::span<const std::byte> bytes);
  void commit();

 private:
  [[noreturn]] void fail_with_errno(const char* what) const;
  // Calls make(name) with names for the temporary until one is not taken; sets temporary_.
  template <class Make>
  int named(const Make& make);

  std::filesystem::path path_, temporary_;  // the latter empty while it has no name
  int descriptor_ = -1;
  bool committed_ = false;
};

void write_file_atomically(const std::filesystem::path& path, std::span<const std::byte> bytes);
void write_file_atomically(const std::filesystem::path& path, std::string_view text);

// Removes the temporaries that no process holds any more, in this folder but not below it. Leaves what
// it may not remove.
void remove_stale_temporaries(const std::filesystem::path& folder);

}  // namespace mini::io
