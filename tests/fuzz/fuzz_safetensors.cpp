// safetensors: what is read is written and read again.
#include "io/safetensors.h"
#include "tests/fuzz/oracle.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mini;
  const auto file =
      fuzz::read_steadily(std::as_bytes(std::span(data, size)), io::parse_safetensors, fuzz::same);
  if (!file) return 0;
  const auto path = fuzz::scratch_file();
  io::write_safetensors(path, *file);
  fuzz::demand(fuzz::same(io::read_safetensors(path), *file), "write_safetensors loses something");
  std::filesystem::remove(path);
  return 0;
}
