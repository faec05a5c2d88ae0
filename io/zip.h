// A reader of zip archives as PyTorch and NumPy write them (stored or deflated entries, zip64 records),
// and a writer of plain ones.
//
// Readers that trust different parts of an archive see different files in it, which is how scanners
// are deceived. Here everything must agree: the directory and the header before each entry, sizes
// and checksums; entries must not overlap, and no name may appear twice.
//
// Source: PKWARE's APPNOTE.TXT 6.3, sections 4.3 and 4.5.3.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace mini::io {

class ZipArchive {
 public:
  // Reads the directory and every header; `bytes` must outlive the archive. Anything that does not
  // lie inside `bytes` is an Error.
  explicit ZipArchive(std::span<const std::byte> bytes);

  std::vector<std::string> names() const;  // sorted
  bool contains(const std::string& name) const { return entries_.contains(name); }
  std::uint64_t size(const std::string& name) { return find(name).size; }  // bytes, unpacked
  // The content, its checksum verified; it lives as long as the archive. An entry that is missing,
  // damaged or packed by another method is an Error, and so are entries that unpack to far more
  // than the archive's size.
  std::span<const std::byte> read(const std::string& name);

 private:
  struct Entry {
    std::uint16_t flags = 0, method = 0;
    std::uint32_t checksum = 0;
    std::uint64_t packed = 0, size = 0, header = 0;  // bytes; offset of the local header
    std::uint64_t content = 0;                       // offset
    std::vector<std::byte> unpacked = {};            // filled when a packed entry is read
  };

  static Entry parse_fields(std::span<const std::byte> fields, std::span<const std::byte> extra);
  std::uint64_t parse_entry(std::uint64_t offset);
  void check_local_header(const std::string& name, Entry& entry) const;
  void check_overlaps(std::uint64_t directory) const;
  Entry& find(const std::string& name);

  std::span<const std::byte> bytes_;
  std::map<std::string, Entry> entries_;
  std::uint64_t may_unpack_;  // bytes
};

// An archive of stored entries.
std::vector<std::byte> write_zip(const std::map<std::string, std::vector<std::byte>>& entries);

}  // namespace mini::io
