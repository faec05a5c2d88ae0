// Configurations of training: what is read is written and read again.
#include "tests/fuzz/oracle.h"
#include "train/config.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mini;
  const auto read = [](std::span<const std::byte> bytes) {
    return train::config_text(
        train::parse_config(std::string(io::as_text(bytes)), "fuzz", "/", {}));
  };
  const auto text =
      fuzz::read_steadily(std::as_bytes(std::span(data, size)), read, std::equal_to<std::string>());
  if (text) fuzz::demand(read(io::as_bytes(*text)) == *text, "config_text loses something");
  return 0;
}
