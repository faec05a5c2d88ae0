// TF32, the input format of tensor cores for float32: 8 bits of exponent, 10 of mantissa.
#pragma once

#include <bit>
#include <cstdint>

#include "tensor/dtype.h"

namespace mini::emulator {

// Rounds to nearest, ties away from zero, like cvt.rna.tf32.f32. Infinities and NaNs stay as they
// are.
inline float round_to_tf32(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7f800000u) == 0x7f800000u) return value;
  return std::bit_cast<float>((bits + 0x1000u) & ~0x1fffu);
}

}  // namespace mini::emulator
