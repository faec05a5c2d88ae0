#include "io/zip.h"

#include <algorithm>
#include <cstring>
#include <zlib.h>

#include "io/checksum.h"
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
constexpr std::uint16_t stored = 0, deflated = 8;
// Allowed flags: deflate's effort (bits 1 and 2), sizes behind the content (3), names in UTF-8 (11). The
// others mean encryption and patches.
constexpr std::uint16_t sizes_behind = 1 << 3,
                        known_flags = 1 << 1 | 1 << 2 | sizes_behind | 1 << 11;

// The limit on unpacking: weights hardly shrink, while zeros and bombs shrink a thousandfold.
constexpr std::uint64_t most_growth = 20, always_allowed = 8 << 20;

// The `length` bytes at `offset`. Throws when the file ends before them.
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

// Searches backwards for the end record, behind which only a comment of up to 64 KiB may stand.
std::size_t find_end(std::span<const std::byte> bytes) {
  constexpr std::size_t longest_comment = 0xffff;
  for (std::size_t back = end_bytes; back <= bytes.size() && back <= end_bytes + longest_comment;
       ++back) {
    const std::size_t end = bytes.size() - back;
    if (number_at<std::uint32_t>(bytes, end) != end_signature) continue;
    check(number_at<std::uint16_t>(bytes, end + 20) == back - end_bytes, "the zip archive has ",
          back - end_bytes, " bytes behind its end");
    return end;
  }
  fail("the zip archive is truncated: it has no end record");
}

std::vector<std::byte> inflate(std::span<const std::byte> packed, std::uint64_t size) {
  std::vector<std::byte> bytes(size);
  z_stream stream{};
  // Negative: deflate's own format, without zlib's header.
  check(::inflateInit2(&stream, -MAX_WBITS) == Z_OK, "zlib cannot start");
  // zlib counts in 32 bits, so both sides are handed over in parts.
  constexpr std::size_t most = 1 << 30;
  std::size_t taken = 0, made = 0;
  int status = Z_OK;
  while (status == Z_OK) {
    const std::size_t in = std::min(most, packed.size() - taken), out = std::min(most, size - made);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(packed.data() + taken));
    stream.avail_in = static_cast<uInt>(in);
    stream.next_out = reinterpret_cast<Bytef*>(bytes.data() + made);
    stream.avail_out = static_cast<uInt>(out);
    status = ::inflate(&stream, Z_NO_FLUSH);
    taken += in - stream.avail_in;
    made += out - stream.avail_out;
  }
  ::inflateEnd(&stream);
  check(status == Z_STREAM_END && made == size && taken == packed.size(),
        "what is deflated there is damaged, or not ", size, " bytes");
  return bytes;
}

}  // namespace

// The fields that both headers have, in the same order: flags, method, time, date, checksum, packed
// and unpacked size. `extra`: fields of id, length, content; in zip64's stand those values that did
// not fit 32 bits.
ZipArchive::Entry ZipArchive::parse_fields(std::span<const std::byte> fields,
                                           std::span<const std::byte> extra) {
  Entry entry;
  entry.flags = number_at<std::uint16_t>(fields, 0);
  entry.method = number_at<std::uint16_t>(fields, 2);
  entry.checksum = number_at<std::uint32_t>(fields, 8);
  entry.packed = number_at<std::uint32_t>(fields, 12);
  entry.size = number_at<std::uint32_t>(fields, 16);
  const bool central = fields.size() == central_bytes - 8;
  if (central) entry.header = number_at<std::uint32_t>(fields, 34);
  while (extra.size() >= 4) {
    const auto id = number_at<std::uint16_t>(extra, 0);
    const auto length = number_at<std::uint16_t>(extra, 2);
    const auto content = slice(extra, 4, length);
    if (id == zip64_field) {
      std::uint64_t at = 0;
      for (std::uint64_t* value : {&entry.size, &entry.packed, &entry.header})
        if (*value == in_zip64) *value = number_at<std::uint64_t>(content, at), at += 8;
    }
    extra = extra.subspan(4U + length);
  }
  return entry;
}

ZipArchive::ZipArchive(std::span<const std::byte> bytes)
    : bytes_(bytes), may_unpack_(most_growth * bytes.size() + always_allowed) {
  const std::size_t end = find_end(bytes);
  std::uint64_t count = number_at<std::uint16_t>(bytes, end + 10);
  std::uint64_t offset = number_at<std::uint32_t>(bytes, end + 16), directory_end = end;
  if (end >= locator64_bytes &&
      number_at<std::uint32_t>(bytes, end - locator64_bytes) == locator64_signature) {
    const auto at = number_at<std::uint64_t>(bytes, end - locator64_bytes + 8);
    const auto record = slice(bytes, at, end64_bytes);
    check(number_at<std::uint32_t>(record, 0) == end64_signature,
          "the zip archive is corrupt: no zip64 record where it should be");
    count = number_at<std::uint64_t>(record, 32);
    offset = number_at<std::uint64_t>(record, 48);
    directory_end = at;
  }
  const std::uint64_t directory = offset;
  for (std::uint64_t i = 0; i < count; ++i) offset = parse_entry(offset);
  check(offset == directory_end, "the zip archive is corrupt: its directory ends at byte ", offset,
        ", not at ", directory_end);
  check_overlaps(directory);
}

// Reads one entry of the directory and returns the offset of the next.
std::uint64_t ZipArchive::parse_entry(std::uint64_t offset) {
  const auto record = slice(bytes_, offset, central_bytes);
  check(number_at<std::uint32_t>(record, 0) == central_signature,
        "the zip archive is corrupt: its directory ends early");
  const std::uint64_t name_length = number_at<std::uint16_t>(record, 28),
                      extra_length = number_at<std::uint16_t>(record, 30),
                      comment_length = number_at<std::uint16_t>(record, 32);
  const std::string name(as_text(slice(bytes_, offset + central_bytes, name_length)));
  Entry entry = parse_fields(record.subspan(8),
                             slice(bytes_, offset + central_bytes + name_length, extra_length));
  check((entry.flags & ~known_flags) == 0, "zip entry \"", name, "\" is encrypted or patched");
  check_local_header(name, entry);
  check(entries_.emplace(name, std::move(entry)).second, "the zip archive holds \"", name,
        "\" twice");
  return offset + central_bytes + name_length + extra_length + comment_length;
}

// Compares the header before an entry with the directory. Only sizes and checksum may be missing in it,
// where a flag says that they stand behind the content.
void ZipArchive::check_local_header(const std::string& name, Entry& entry) const {
  const auto header = slice(bytes_, entry.header, local_bytes);
  check(number_at<std::uint32_t>(header, 0) == local_signature, "the zip archive is corrupt: \"",
        name, "\" is not where its directory says");
  const std::uint64_t name_length = number_at<std::uint16_t>(header, 26),
                      extra_length = number_at<std::uint16_t>(header, 28),
                      name_begin = entry.header + local_bytes;
  const auto here = as_text(slice(bytes_, name_begin, name_length));
  const Entry local =
      parse_fields(header.subspan(6, 20), slice(bytes_, name_begin + name_length, extra_length));
  const bool known_later = (entry.flags & sizes_behind) != 0 && local.checksum == 0 &&
                           local.packed == 0 && local.size == 0;
  check(here == name && local.flags == entry.flags && local.method == entry.method &&
            (known_later || (local.checksum == entry.checksum && local.packed == entry.packed &&
                             local.size == entry.size)),
        "the zip archive is corrupt: its directory and the header of \"", name, "\" disagree");
  entry.content = name_begin + name_length + extra_length;
  slice(bytes_, entry.content, entry.packed);
}

void ZipArchive::check_overlaps(std::uint64_t directory) const {
  std::vector<const Entry*> order;
  for (const auto& [name, entry] : entries_) order.push_back(&entry);
  std::sort(order.begin(), order.end(),
            [](const Entry* a, const Entry* b) { return a->header < b->header; });
  for (std::size_t i = 0; i < order.size(); ++i)
    check(order[i]->content + order[i]->packed <=
              (i + 1 < order.size() ? order[i + 1]->header : directory),
          "the zip archive is corrupt: its entries overlap");
}

std::vector<std::string> ZipArchive::names() const {
  std::vector<std::string> names;
  for (const auto& [name, entry] : entries_) names.push_back(name);
  return names;
}

ZipArchive::Entry& ZipArchive::find(const std::string& name) {
  const auto found = entries_.find(name);
  check(found != entries_.end(), "the zip archive has no entry \"", name, "\"");
  return found->second;
}

std::span<const std::byte> ZipArchive::read(const std::string& name) {
  Entry& entry = find(name);
  if (!entry.unpacked.empty()) return entry.unpacked;
  auto content = bytes_.subspan(entry.content, entry.packed);
  if (entry.method == deflated) {
    check(entry.size <= may_unpack_, "zip entry \"", name, "\" unpacks to ", entry.size,
          " bytes, far more than the archive's ", bytes_.size());
    may_unpack_ -= entry.size;
    try {
      entry.unpacked = inflate(content, entry.size);
    } catch (const Error& error) {
      fail("zip entry \"", name, "\": ", error.what());
    }
    content = entry.unpacked;
  } else {
    check(entry.method == stored && entry.size == entry.packed, "zip entry \"", name,
          "\" is packed by method ", entry.method, "; stored and deflated ones are read");
  }
  check(crc32(content) == entry.checksum, "zip entry \"", name,
        "\" is damaged: its checksum does not match");
  return content;
}

std::vector<std::byte> write_zip(const std::map<std::string, std::vector<std::byte>>& entries) {
  std::vector<std::byte> local, central;
  const auto put = [](std::vector<std::byte>& to, auto... numbers) {
    const auto one = [&](auto number) {
      const auto bytes = std::as_bytes(std::span(&number, 1));
      to.insert(to.end(), bytes.begin(), bytes.end());
    };
    (one(numbers), ...);
  };
  const auto append = [](std::vector<std::byte>& to, std::span<const std::byte> bytes) {
    to.insert(to.end(), bytes.begin(), bytes.end());
  };
  constexpr std::uint16_t version = 20, january_first_1980 = 1 << 5 | 1, none = 0;
  for (const auto& [name, content] : entries) {
    check(name.size() < 0xffff && local.size() + name.size() + content.size() < 0xffff0000U &&
              entries.size() < 0xffff,
          "a zip archive of more than 4 GiB or 65,534 entries would need zip64 records, which mini "
          "does not write; safetensors has no such limit");
    const auto size = static_cast<std::uint32_t>(content.size());
    const auto offset = static_cast<std::uint32_t>(local.size());
    const auto length = static_cast<std::uint16_t>(name.size());
    const std::uint32_t checksum = crc32(content);
    put(local, local_signature, version, none, stored, none, january_first_1980, checksum, size,
        size, length, none);
    append(local, as_bytes(name));
    append(local, content);
    put(central, central_signature, version, version, none, stored, none, january_first_1980,
        checksum, size, size, length, none, none, none, none, std::uint32_t{0}, offset);
    append(central, as_bytes(name));
  }
  const auto count = static_cast<std::uint16_t>(entries.size());
  const auto directory = static_cast<std::uint32_t>(local.size());
  append(local, central);
  put(local, end_signature, none, none, count, count, static_cast<std::uint32_t>(central.size()),
      directory, none);
  return local;
}

}  // namespace mini::io
