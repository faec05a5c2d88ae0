// NumPy's files, one array and archives: what is read is written and read again.
#include "io/npy.h"
#include "tests/fuzz/oracle.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mini;
  const auto bytes = std::as_bytes(std::span(data, size));
  if (const auto tensor = fuzz::read_steadily(bytes, io::parse_npy, fuzz::same_bits))
    fuzz::demand(fuzz::same_bits(io::parse_npy(io::npy_bytes(*tensor)), *tensor),
                 "npy_bytes loses something");
  fuzz::read_steadily(bytes, io::parse_npz, fuzz::same);
  return 0;
}
