// Zip archives: what is written is read, and archives in which two readers would see two things are
// refused.
#include "io/zip.h"

#include <cstring>
#include <zlib.h>

#include "io/checksum.h"
#include "io/pth.h"
#include "tests/io/archives.h"

namespace mini::io {
namespace {

using namespace std::string_literals;
using namespace test_files;

std::string error_for(const Bytes& bytes) {
  return test::error_of([&] {
    ZipArchive archive(bytes);
    for (const std::string& name : archive.names()) archive.read(name);
  });
}

// Where a header begins: the `index`th of its signature.
std::size_t place_of(const Bytes& bytes, std::string_view signature, int index = 0) {
  std::size_t place = as_text(bytes).find(signature);
  while (index-- > 0) place = as_text(bytes).find(signature, place + 1);
  return place;
}
std::size_t local(const Bytes& bytes, int index = 0) { return place_of(bytes, "PK\3\4", index); }
std::size_t central(const Bytes& bytes, int index = 0) { return place_of(bytes, "PK\1\2", index); }

template <class T>
Bytes changed(Bytes bytes, std::size_t place, T value) {
  std::memcpy(bytes.data() + place, &value, sizeof(value));
  return bytes;
}

Bytes two_entries() { return write_zip({{"a", bytes_of("first")}, {"b", bytes_of("second")}}); }

// One deflated entry "a", which claims to unpack to `size` bytes.
Bytes deflated(const std::string& content, std::uint32_t size, std::uint32_t checksum) {
  std::string packed(compressBound(content.size()), '\0');
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(content.data()));
  stream.avail_in = static_cast<uInt>(content.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  Bytes bytes = write_zip({{"a", bytes_of(packed)}});
  const std::size_t here = local(bytes), there = central(bytes);
  for (const auto& [place, fields] : {std::pair(here, 8U), std::pair(there, 10U)}) {
    bytes = changed(bytes, place + fields, std::uint16_t{8});
    bytes = changed(bytes, place + fields + 6, checksum);
    bytes = changed(bytes, place + fields + 14, size);
  }
  return bytes;
}

TEST(Zip, ReadsWhatItWrites) {
  const Bytes bytes = two_entries();
  ZipArchive archive(bytes);
  EXPECT_EQ(archive.names(), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(as_text(archive.read("a")), "first");
  EXPECT_EQ(as_text(archive.read("b")), "second");
  EXPECT_EQ(archive.size("b"), 6U);
  EXPECT_TRUE(ZipArchive(write_zip({})).names().empty());
}

TEST(Zip, UnpacksDeflate) {
  const std::string content = "again and again and again and again";
  const Bytes bytes =
      deflated(content, static_cast<std::uint32_t>(content.size()), crc32(as_bytes(content)));
  ZipArchive archive(bytes);
  EXPECT_EQ(as_text(archive.read("a")), content);
  EXPECT_EQ(as_text(archive.read("a")), content) << "the second time";
}

TEST(Zip, RefusesBombs) {
  const std::string zeros(1 << 20, '\0');
  const std::uint32_t checksum = crc32(as_bytes(zeros));
  // Smaller or larger than it says, or damaged.
  expect_contains(error_for(deflated(zeros, 1000, checksum)), "not 1000 bytes");
  expect_contains(error_for(deflated(zeros, (1 << 20) + 1, checksum)), "not 1048577 bytes");
  expect_contains(error_for(deflated(zeros, 1 << 20, checksum + 1)), "checksum does not match");
  Bytes bad = deflated(zeros, 1 << 20, checksum);
  bad[local(bad) + 31] = std::byte{0xff};
  expect_contains(error_for(bad), "damaged");
  // Before memory is taken: 4 GB from a few bytes.
  expect_contains(error_for(deflated(zeros, 4'000'000'000U, checksum)), "far more than");
  // Of a storage, the size that the pickle gives.
  Bytes storage = deflated(zeros, 1 << 20, checksum);
  std::map<std::string, Bytes> entries{{"x/data.pkl", bytes_of(tensor_program() + ".")},
                                       {"x/data/0", bytes_of(std::string(800, '\0'))}};
  expect_contains(test::error_of([&] { parse_pth(write_zip(entries)); }),
                  "has 800 bytes, 2 elements");
}

TEST(Zip, TheTwoHeadersOfAnEntryAgree) {
  const Bytes good = two_entries();
  const std::size_t here = local(good), there = central(good);
  // Name, flags, method, checksum and sizes of the local header; then the directory's.
  expect_contains(error_for(changed(good, here + 30, 'x')), "disagree");
  expect_contains(error_for(changed(good, here + 6, std::uint16_t{0x800})), "disagree");
  expect_contains(error_for(changed(good, here + 8, std::uint16_t{8})), "disagree");
  expect_contains(error_for(changed(good, here + 14, 0U)), "disagree");
  expect_contains(error_for(changed(good, here + 18, 4U)), "disagree");
  expect_contains(error_for(changed(good, here + 22, 4U)), "disagree");
  expect_contains(error_for(changed(good, here, 'Q')), "not where its directory says");
  expect_contains(error_for(changed(good, there + 46, '\0')), "disagree");
  expect_contains(error_for(changed(good, there + 16, 0U)), "disagree");
  expect_contains(error_for(changed(good, there + 42, 3U)), "not where its directory says");
  // Encrypted, patched, masked (CVE-2025-1945: a flag that stops scanners, not PyTorch).
  for (const std::uint16_t flag : {1, 0x20, 0x40, 0x2000})
    expect_contains(error_for(changed(changed(good, there + 8, flag), here + 6, flag)),
                    "encrypted");
  // Sizes behind the content: zeros before it, but not something else.
  constexpr std::uint16_t behind = 8;
  Bytes later = changed(changed(good, there + 8, behind), here + 6, behind);
  expect_contains(error_for(changed(later, here + 14, 5U)), "disagree");
  std::memset(later.data() + here + 14, 0, 12);
  EXPECT_EQ(as_text(ZipArchive(later).read("a")), "first");
}

TEST(Zip, EntriesDoNotOverlap) {
  const Bytes good = two_entries();
  // "a" reaches over "b" into the directory: as long in both headers.
  const auto longer = [&](std::uint32_t size) {
    Bytes bytes = good;
    for (const std::size_t place :
         {local(good) + 18, local(good) + 22, central(good) + 20, central(good) + 24})
      bytes = changed(bytes, place, size);
    return bytes;
  };
  expect_contains(error_for(longer(6)), "overlap");
  expect_contains(error_for(longer(50)), "overlap");
  // Two entries of the directory that are one in the file.
  Bytes twice = changed(good, central(good, 1) + 42, 0U);
  twice = changed(twice, central(good, 1) + 46, 'a');
  expect_contains(error_for(twice), "disagree");
  expect_contains(error_for(changed(good, central(good, 1) + 46, 'a')), "disagree");
}

TEST(Zip, TheDirectoryIsWhole) {
  const Bytes good = two_entries();
  const std::size_t end = place_of(good, "PK\5\6");
  expect_contains(error_for(changed(good, end + 10, std::uint16_t{1})), "directory ends at");
  expect_contains(error_for(changed(good, end + 10, std::uint16_t{3})), "truncated");
  expect_contains(error_for(changed(good, end + 16, 1U)), "directory ends early");
  expect_contains(error_for(changed(good, end + 20, std::uint16_t{1})), "bytes behind its end");
  Bytes longer = good;
  longer.push_back(std::byte{0});
  expect_contains(error_for(longer), "bytes behind its end");
  expect_contains(error_for({good.begin(), good.end() - 1}), "no end record");
}

// Which of them is read, would depend on the reader; PyTorch takes names for equal that differ in case.
TEST(Zip, OnePickleInAnArchive) {
  const Bytes pickle = bytes_of("}.");
  for (const char* other : {"b/data.pkl", "a/DATA.PKL", "a/b/Data.pkl", "data.pkl"})
    expect_contains(test::error_of([&] {
                      parse_pth(write_zip({{"a/data.pkl", pickle}, {other, pickle}}));
                    }),
                    "holds both");
  expect_contains(test::error_of([&] {
                    parse_pth(write_zip({{"a/data.txt", pickle}}));
                  }),
                  "no data.pkl");
  expect_contains(test::error_of([&] {
                    parse_pth(write_zip({{"a/data.pkl", pickle}, {"a/constants.pkl", pickle}}));
                  }),
                  "TorchScript");
}

}  // namespace
}  // namespace mini::io
