#include "io/zip.h"

#include <array>
#include <cstring>

#include "io/file.h"
#include "tensor/error.h"

namespace mini::io {
namespace {

constexpr std::uint32_t local_signature = 0x04034b50, central_signature = 0x02014b50,
                        end_signature = 0x06054b50, end64_signature = 0x06064b50,
                        locator64_signature = 0x07064b50;
constexpr std::size_t local_bytes = 30, central_bytes = 46, end_bytes = 22, end64_bytes = 56,
                      locator64_bytes = 20;
constexpr std::uint32_t in_zip64 = 0xffffffff;  // "the true value is in the zip64 record"
constexpr std::uint16_t zip64_field = 1;

// `length` bytes at `offset`, or an Error when they are not all there.
std::span<const std::byte> slice(std::span<const std::byte> bytes, std::uint64_t offset,
                                 std::uint64_t length) {
  check(offset <= bytes.size() && length <= bytes.size() - offset,
        "the zip archive is truncated or corrupt (", length, " bytes at ", offset, " of ",
        bytes.size(), ")");
  return bytes.subspan(offset, length);
}

template <class T>
T number_at(std::span<const std::byte> bytes, std::uint64_t offset) {
  T value;
  std::memcpy(&value, slice(bytes, offset, sizeof(T)).data(), sizeof(T));
  return value;
}

// CRC-32 of IEEE 802.3, a byte at a time.
std::uint32_t crc32(std::span<const std::byte> bytes) {
  static constexpr auto table = [] {
    std::array<std::uint32_t, 256> result{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t value = i;
      for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) * 0xedb88320U);
      result[i] = value;
    }
    return result;
  }();
  std::uint32_t crc = ~0U;
  for (const std::byte byte : bytes)
    crc = (crc >> 8) ^ table[(crc ^ static_cast<std::uint32_t>(byte)) & 0xff];
  return ~crc;
}

// The end record is the last thing in the file but for a comment of up to 64 KiB.
std::size_t find_end(std::span<const std::byte> bytes) {
  constexpr std::size_t longest_comment = 0xffff;
  for (std::size_t back = end_bytes; back <= bytes.size() && back <= end_bytes + longest_comment;
       ++back)
    if (number_at<std::uint32_t>(bytes, bytes.size() - back) == end_signature)
      return bytes.size() - back;
  fail("the zip archive is truncated: it has no end record");
}

}  // namespace

ZipArchive::ZipArchive(std::span<const std::byte> bytes) : bytes_(bytes) {
  const std::size_t end = find_end(bytes);
  std::uint64_t count = number_at<std::uint16_t>(bytes, end + 10);
  std::uint64_t offset = number_at<std::uint32_t>(bytes, end + 16);
  if (end >= locator64_bytes &&
      number_at<std::uint32_t>(bytes, end - locator64_bytes) == locator64_signature) {
    const auto at = number_at<std::uint64_t>(bytes, end - locator64_bytes + 8);
    const auto record = slice(bytes, at, end64_bytes);
    check(number_at<std::uint32_t>(record, 0) == end64_signature,
          "the zip archive is corrupt: no zip64 record where it should be");
    count = number_at<std::uint64_t>(record, 32);
    offset = number_at<std::uint64_t>(record, 48);
  }
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto record = slice(bytes, offset, central_bytes);
    check(number_at<std::uint32_t>(record, 0) == central_signature,
          "the zip archive is corrupt: its directory ends early");
    const auto flags = number_at<std::uint16_t>(record, 8);
    const auto method = number_at<std::uint16_t>(record, 10);
    const std::uint64_t name_length = number_at<std::uint16_t>(record, 28);
    const std::uint64_t extra_length = number_at<std::uint16_t>(record, 30);
    Entry entry;
    entry.checksum = number_at<std::uint32_t>(record, 16);
    entry.size = number_at<std::uint32_t>(record, 24);
    entry.header = number_at<std::uint32_t>(record, 42);
    entry.plain = method == 0 && (flags & 1) == 0;
    const std::string name(as_text(slice(bytes, offset + central_bytes, name_length)));
    auto extra = slice(bytes, offset + central_bytes + name_length, extra_length);
    // Extra fields: id, length, content. In zip64's stand those values, of uncompressed size,
    // compressed size and offset, that did not fit 32 bits.
    while (extra.size() >= 4) {
      const auto id = number_at<std::uint16_t>(extra, 0);
      const auto length = number_at<std::uint16_t>(extra, 2);
      const auto content = slice(extra, 4, length);
      if (id == zip64_field) {
        std::uint64_t at = 0;
        if (entry.size == in_zip64) entry.size = number_at<std::uint64_t>(content, at), at += 8;
        if (number_at<std::uint32_t>(record, 20) == in_zip64) at += 8;
        if (entry.header == in_zip64) entry.header = number_at<std::uint64_t>(content, at);
      }
      extra = extra.subspan(4U + length);
    }
    check(entries_.emplace(name, entry).second, "the zip archive holds \"", name, "\" twice");
    offset += central_bytes + name_length + extra_length +
              number_at<std::uint16_t>(record, 32);  // the comment
  }
}

std::string ZipArchive::find_ending(std::string_view ending) const {
  for (const auto& [name, entry] : entries_)
    if (name.ends_with(ending)) return name;
  return {};
}

std::span<const std::byte> ZipArchive::read(const std::string& name) const {
  const auto found = entries_.find(name);
  check(found != entries_.end(), "the zip archive has no entry \"", name, "\"");
  const Entry& entry = found->second;
  check(entry.plain, "zip entry \"", name, "\" is compressed or encrypted; PyTorch stores plainly");
  const auto header = slice(bytes_, entry.header, local_bytes);
  check(number_at<std::uint32_t>(header, 0) == local_signature, "the zip archive is corrupt: \"",
        name, "\" is not where its directory says");
  const std::uint64_t begin = entry.header + local_bytes + number_at<std::uint16_t>(header, 26) +
                              number_at<std::uint16_t>(header, 28);
  const auto content = slice(bytes_, begin, entry.size);
  check(crc32(content) == entry.checksum, "zip entry \"", name,
        "\" is damaged: its checksum does not match");
  return content;
}

}  // namespace mini::io
