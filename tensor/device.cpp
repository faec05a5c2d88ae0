#include "tensor/device.h"

#include <charconv>
#include <ostream>

#include "tensor/error.h"

namespace mini {

Device parse_device(std::string_view text) {
  if (text == "cpu") return {};
  if (text == "cuda") return {DeviceType::cuda, 0};
  constexpr std::string_view prefix = "cuda:";
  if (text.starts_with(prefix)) {
    int index = -1;
    const char* end = text.data() + text.size();
    const auto [stop, code] = std::from_chars(text.data() + prefix.size(), end, index);
    if (code == std::errc{} && stop == end && index >= 0) return {DeviceType::cuda, index};
  }
  fail("device: '", text, "' is none of cpu, cuda, cuda:0, cuda:1, ...");
}

std::string to_string(Device device) {
  return device.is_cpu() ? "cpu" : concat_text("cuda:", device.index);
}

std::ostream& operator<<(std::ostream& out, Device device) { return out << to_string(device); }

}  // namespace mini
