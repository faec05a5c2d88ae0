// Element types: what a tensor's bytes mean, and how generic code gets from the runtime DType to a
// C++ type (visit). Light enough to be included by device code.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <string_view>
#include <type_traits>

#include "tensor/error.h"

namespace mini {

enum class DType : std::uint8_t { float32, float64, float16, bfloat16, uint8, int64 };

// bfloat16: the upper half of a float32, rounded to nearest even.
struct BFloat16 {
  std::uint16_t bits = 0;
  BFloat16() = default;
  explicit BFloat16(float value);
  explicit operator float() const { return std::bit_cast<float>(std::uint32_t{bits} << 16); }
};

// IEEE 754 binary16, rounded to nearest even.
struct Half {
  std::uint16_t bits = 0;
  Half() = default;
  explicit Half(float value);
  explicit operator float() const;
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

// The same for the types that the CPU computes in; any other is an error that names the op.
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

}  // namespace mini
