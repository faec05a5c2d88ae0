// Conversion between element types, for host and device. Floating to integer truncates towards zero
// and saturates; NaN becomes 0. All other conversions round once, to nearest even.
#pragma once

#include <cmath>
#include <limits>

#include "tensor/dtype.h"

namespace mini {

// Rounds to float32; an inexact result gets an odd last bit. Rounding it once more, to 16 bits,
// then gives the same as rounding the double directly (S. Boldo, G. Melquiond, "Emulation of a FMA
// and correctly rounded sums: proved algorithms using rounding to odd", IEEE Trans. Computers 57,
// 2008).
MINI_HOST_DEVICE inline float round_to_odd(double value) {
  const auto nearest = static_cast<float>(value);
  const auto back = static_cast<double>(nearest);
  const bool odd = (std::bit_cast<std::uint32_t>(nearest) & 1u) != 0;
  if (back == value || odd || !std::isfinite(back)) return nearest;
  return std::nextafter(nearest, value > back ? std::numeric_limits<float>::infinity()
                                              : -std::numeric_limits<float>::infinity());
}

template <class To, class From>
MINI_HOST_DEVICE inline To convert(From value) {
  if constexpr (std::is_same_v<To, From>) {
    return value;
  } else if constexpr (std::is_same_v<From, Half> || std::is_same_v<From, BFloat16>) {
    return convert<To>(static_cast<float>(value));
  } else if constexpr (std::is_same_v<To, Half> || std::is_same_v<To, BFloat16>) {
    if constexpr (std::is_same_v<From, float>)
      return To(value);
    else
      return To(round_to_odd(static_cast<double>(value)));
  } else if constexpr (std::is_floating_point_v<To>) {
    return static_cast<To>(value);
  } else if constexpr (std::is_floating_point_v<From>) {
    if (std::isnan(value)) return 0;
    using Limits = std::numeric_limits<To>;
    if (value <= static_cast<From>(Limits::min())) return Limits::min();
    if (value >= static_cast<From>(Limits::max())) return Limits::max();
    return static_cast<To>(value);
  } else {
    // uint8 and int64.
    constexpr std::int64_t most =
        std::is_same_v<To, std::uint8_t> ? 255 : std::numeric_limits<std::int64_t>::max();
    const auto least = static_cast<std::int64_t>(std::numeric_limits<To>::min());
    const auto wide = static_cast<std::int64_t>(value);
    return static_cast<To>(wide < least ? least : wide > most ? most : wide);
  }
}

}  // namespace mini
