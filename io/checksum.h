// The checksum of zip entries and of the tensors in mini's own safetensors: CRC-32 as in IEEE 802.3.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace mini::io {

std::uint32_t crc32(std::span<const std::byte> bytes);

}  // namespace mini::io
