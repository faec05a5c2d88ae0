// The part of the zip format that PyTorch writes: stored (uncompressed) entries, zip64 records.
// Source: PKWARE's APPNOTE.TXT 6.3, sections 4.3 and 4.5.3.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>

namespace mini::io {

class ZipArchive {
 public:
  // Reads the central directory; `bytes` must outlive the archive. Anything that does not lie
  // inside `bytes` is an Error.
  explicit ZipArchive(std::span<const std::byte> bytes);

  bool contains(const std::string& name) const { return entries_.count(name) > 0; }
  // The first entry whose name ends so, else an empty text.
  std::string find_ending(std::string_view ending) const;
  // The content, its checksum verified. An entry that is missing, compressed, encrypted or damaged
  // is an Error.
  std::span<const std::byte> read(const std::string& name) const;

 private:
  struct Entry {
    std::uint64_t size = 0, header = 0;  // bytes; offset of the local header
    std::uint32_t checksum = 0;
    bool plain = false;
  };

  std::span<const std::byte> bytes_;
  std::map<std::string, Entry> entries_;
};

}  // namespace mini::io
