// Zip archives: what is read is written and read again.
#include <algorithm>

#include "io/zip.h"
#include "tests/fuzz/oracle.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mini;
  using Entries = std::map<std::string, io::Bytes>;
  const auto read = [](std::span<const std::byte> bytes) {
    io::ZipArchive archive(bytes);
    Entries entries;
    for (const std::string& name : archive.names()) {
      const auto content = archive.read(name);
      fuzz::demand(content.size() == archive.size(name), "an entry has another size than it says");
      entries.emplace(name, io::Bytes(content.begin(), content.end()));
    }
    return entries;
  };
  const auto entries =
      fuzz::read_steadily(std::as_bytes(std::span(data, size)), read, std::equal_to<Entries>());
  if (entries) fuzz::demand(read(io::write_zip(*entries)) == *entries, "write_zip loses something");
  return 0;
}
