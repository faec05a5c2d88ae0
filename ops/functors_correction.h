// The numbering of floating-point numbers for ops/correction.h, for host and device.
//
// The bits of a positive number, read as an integer, increase with its value; those of a negative
// number decrease. Flipping all bits but the sign of negative numbers gives signed integers in the
// order of the values.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <type_traits>

#include "ops/functors.h"

namespace mini::functors {

template <class T>
using Place = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;

template <class T>
MINI_HOST_DEVICE inline Place<T> flip_negative(Place<T> bits) {
  using Signed = std::make_signed_t<Place<T>>;
  const auto sign = static_cast<Place<T>>(static_cast<Signed>(bits) >> (8 * sizeof(T) - 1));
  return bits ^ (sign >> 1);
}

struct CorrectionCode {
  template <class T>
  MINI_HOST_DEVICE std::uint8_t operator()(T x, T estimate) const {
    // Unsigned arithmetic wraps around, so a difference that does not fit counts as out of range.
    const Place<T> steps = flip_negative<T>(std::bit_cast<Place<T>>(x)) -
                           flip_negative<T>(std::bit_cast<Place<T>>(estimate)) + 128;
    const bool near = steps - 1 < 255;
    return near && !std::isnan(estimate) ? static_cast<std::uint8_t>(steps) : std::uint8_t{0};
  }
};

// Applies a code other than 0.
struct Correct {
  template <class T>
  MINI_HOST_DEVICE T operator()(T estimate, std::uint8_t code) const {
    const Place<T> place = flip_negative<T>(std::bit_cast<Place<T>>(estimate)) + code - 128;
    return std::bit_cast<T>(flip_negative<T>(place));
  }
};

}  // namespace mini::functors
