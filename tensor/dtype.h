// Element types: DType names them at run time, and `visit` turns a DType into a C++ type. Device
// code includes this file, too.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <string_view>
#include <type_traits>

#include "tensor/error.h"
#include "tensor/host_device.h"

namespace mini {

enum class DType : std::uint8_t { float32, float64, float16, bfloat16, uint8, int64 };

// bfloat16: the upper half of a float32, rounded to nearest even.
struct BFloat16 {
  std::uint16_t bits = 0;
  BFloat16() = default;
  MINI_HOST_DEVICE explicit BFloat16(float value);
  MINI_HOST_DEVICE explicit operator float() const {
    return std::bit_cast<float>(std::uint32_t{bits} << 16);
  }
};

// IEEE 754 binary16, rounded to nearest even.
struct Half {
  std::uint16_t bits = 0;
  Half() = default;
  MINI_HOST_DEVICE explicit Half(float value);
  MINI_HOST_DEVICE explicit operator float() const;
};

template <class T>
constexpr DType dtype_of() {
  if constexpr (std::is_same_v<T, float>)
    return DType::float32;
  else if constexpr (std::is_same_v<T, double>)
    return DType::float64;
  else if constexpr (std::is_same_v<T, Half>)
    return DType::float16;
  else if constexpr (std::is_same_v<T, BFloat16>)
    return DType::bfloat16;
  else if constexpr (std::is_same_v<T, std::uint8_t>)
    return DType::uint8;
  else {
    static_assert(std::is_same_v<T, std::int64_t>, "no DType for this C++ type");
    return DType::int64;
  }
}

std::size_t element_size(DType dtype);  // bytes
std::string_view name_of(DType dtype);  // "float32"
std::ostream& operator<<(std::ostream& out, DType dtype);
constexpr bool is_floating(DType dtype) { return dtype != DType::uint8 && dtype != DType::int64; }

// Calls f(std::type_identity<T>{}) with the C++ type of `dtype`.
template <class F>
decltype(auto) visit(DType dtype, F&& f) {
  switch (dtype) {
    case DType::float32:
      return f(std::type_identity<float>{});
    case DType::float64:
      return f(std::type_identity<double>{});
    case DType::float16:
      return f(std::type_identity<Half>{});
    case DType::bfloat16:
      return f(std::type_identity<BFloat16>{});
    case DType::uint8:
      return f(std::type_identity<std::uint8_t>{});
    case DType::int64:
      return f(std::type_identity<std::int64_t>{});
  }
  fail("visit: unknown dtype");
}

// As `visit`, for the types that ops compute in: float32 and float64. Any other is an error that
// names the op.
template <class F>
decltype(auto) visit_real(DType dtype, const char* op, F&& f) {
  switch (dtype) {
    case DType::float32:
      return f(std::type_identity<float>{});
    case DType::float64:
      return f(std::type_identity<double>{});
    default:
      fail(op, ": computes in float32 or float64, got ", name_of(dtype), "; cast first");
  }
}

MINI_HOST_DEVICE inline BFloat16::BFloat16(float value) {
  const auto word = std::bit_cast<std::uint32_t>(value);
  if ((word & 0x7fffffffu) > 0x7f800000u) {
    bits = static_cast<std::uint16_t>((word >> 16) | 0x40u);  // keep it a NaN, make it quiet
    return;
  }
  const std::uint32_t nearest_even = 0x7fffu + ((word >> 16) & 1u);
  bits = static_cast<std::uint16_t>((word + nearest_even) >> 16);
}

MINI_HOST_DEVICE inline Half::Half(float value) {
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

MINI_HOST_DEVICE inline Half::operator float() const {
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

}  // namespace mini
