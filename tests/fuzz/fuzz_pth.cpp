// PyTorch's files: the bytes as they are, and as the pickle of an archive, which no checksum guards.
#include "io/pth.h"
#include "io/zip.h"
#include "tests/fuzz/oracle.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mini;
  const auto bytes = std::as_bytes(std::span(data, size));
  fuzz::read_steadily(bytes, io::parse_pth, fuzz::same);
  const io::Bytes storage(64, std::byte{1});
  const io::Bytes archive = io::write_zip(
      {{"a/data.pkl", {bytes.begin(), bytes.end()}}, {"a/data/0", storage}, {"a/data/1", {}}});
  const auto file = fuzz::read_steadily(archive, io::parse_pth, fuzz::same);
  if (file)
    for (const auto& [name, tensor] : file->tensors)
      fuzz::demand(tensor.is_contiguous(), "a tensor is not contiguous");
  return 0;
}
