// Pickles in a row, as in PyTorch's legacy format.
#include "io/pickle.h"
#include "tests/fuzz/oracle.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mini;
  const auto read = [](std::span<const std::byte> bytes) {
    io::Unpickler unpickler(bytes.size());
    while (!bytes.empty()) {
      const std::size_t before = bytes.size();
      const io::PickleValue* root = unpickler.load(bytes);
      fuzz::demand(root != nullptr && bytes.size() < before, "a pickle takes no bytes");
      io::find_key(root, "state_dict");
    }
    return unpickler.values().size();
  };
  fuzz::read_steadily(std::as_bytes(std::span(data, size)), read, std::equal_to<std::size_t>());
  return 0;
}
