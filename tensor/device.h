// The device on which a tensor is stored.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>

namespace mini {

enum class DeviceType : std::uint8_t { cpu, cuda };

struct Device {
  DeviceType type = DeviceType::cpu;
  int index = 0;

  bool operator==(const Device&) const = default;
  bool is_cpu() const { return type == DeviceType::cpu; }
  bool is_cuda() const { return type == DeviceType::cuda; }
};

// Accepts "cpu", "cuda" and "cuda:1"; throws an Error that lists these for any other text.
Device parse_device(std::string_view text);
std::string to_string(Device device);
std::ostream& operator<<(std::ostream& out, Device device);

}  // namespace mini
