#include "tensor/dtype.h"

#include <cmath>
#include <ostream>

namespace mini {

BFloat16::BFloat16(float value) {
  const auto word = std::bit_cast<std::uint32_t>(value);
  if (std::isnan(value)) {
    bits = static_cast<std::uint16_t>((word >> 16) | 0x40u);  // keep it a NaN, make it quiet
    return;
  }
  const std::uint32_t nearest_even = 0x7fffu + ((word >> 16) & 1u);
  bits = static_cast<std::uint16_t>((word + nearest_even) >> 16);
}

Half::Half(float value) {
  const auto word = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = (word >> 16) & 0x8000u;
  const std::uint32_t magnitude = word & 0x7fffffffu;
  std::uint32_t result = 0;
  if (magnitude > 0x7f800000u) {
    result = 0x7e00u;  // NaN
  } else if (magnitude >= 0x47800000u) {
    result = 0x7c00u;  // 65536 and above: infinity (65520 to 65536 rounds up to it below)
  } else if (magnitude >= 0x38800000u) {
    // Normal: rebias the exponent by 15 - 127, drop 13 mantissa bits, round to nearest even. A
    // carry runs into the exponent, which is what rounding up should do.
    const std::uint32_t rebiased = magnitude - 0x38000000u;
    result = (rebiased + 0xfffu + ((rebiased >> 13) & 1u)) >> 13;
  } else {
    // Subnormal: adding 2^-1 aligns the mantissa so that its last bit stands for 2^-24, and the
    // addition itself rounds to nearest even.
    const float aligned = std::bit_cast<float>(magnitude) + 0.5f;
    result = std::bit_cast<std::uint32_t>(aligned) - std::bit_cast<std::uint32_t>(0.5f);
  }
  bits = static_cast<std::uint16_t>(sign | result);
}

Half::operator float() const {
  const std::uint32_t sign = (bits & 0x8000u) << 16;
  const std::uint32_t exponent = (bits >> 10) & 0x1fu;
  const std::uint32_t mantissa = bits & 0x3ffu;
  if (exponent == 0) {
    const float value = static_cast<float>(mantissa) * 0x1p-24f;  // zero and subnormals
    return sign != 0 ? -value : value;
  }
  const std::uint32_t wide = exponent == 31 ? 0x7f800000u : (exponent + 112) << 23;
  return std::bit_cast<float>(sign | wide | (mantissa << 13));
}

std::size_t element_size(DType dtype) {
  return visit(dtype, [](auto type) { return sizeof(typename decltype(type)::type); });
}

std::string_view name_of(DType dtype) {
  switch (dtype) {
    case DType::float32:
      return "float32";
    case DType::float64:
      return "float64";
    case DType::float16:
      return "float16";
    case DType::bfloat16:
      return "bfloat16";
    case DType::uint8:
      return "uint8";
    case DType::int64:
      return "int64";
  }
  return "unknown";
}

std::ostream& operator<<(std::ostream& out, DType dtype) { return out << name_of(dtype); }

}  // namespace mini
