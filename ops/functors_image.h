// Padding and the Haar transform per element, for host and device.
#pragma once

#include <cstdint>

#include "ops/params.h"
#include "tensor/host_device.h"

namespace mini::functors {

// The row (or column) of `size` that a padded position copies; -1 for a zero.
MINI_HOST_DEVICE inline std::int64_t padding_source(std::int64_t position, std::int64_t before,
                                                    std::int64_t size, PadMode mode) {
  const std::int64_t i = position - before;
  if (i >= 0 && i < size) return i;
  switch (mode) {
    case PadMode::zero:
      return -1;
    case PadMode::replicate:
      return i < 0 ? 0 : size - 1;
    case PadMode::reflect:
      return i < 0 ? -i : 2 * (size - 1) - i;
  }
  return -1;
}

// 2x2 pixels a b / c d, or their four bands (mean, horizontal, vertical, diagonal).
template <class T>
struct Square {
  T a, b, c, d;
};

template <class T>
MINI_HOST_DEVICE inline Square<T> haar(const Square<T>& x) {
  return {((x.a + x.b) + (x.c + x.d)) * T(0.25), ((x.a - x.b) + (x.c - x.d)) * T(0.25),
          ((x.a + x.b) - (x.c + x.d)) * T(0.25), ((x.a - x.b) - (x.c - x.d)) * T(0.25)};
}

template <class T>
MINI_HOST_DEVICE inline Square<T> haar_inverse(const Square<T>& y) {
  return {(y.a + y.b) + (y.c + y.d), (y.a - y.b) + (y.c - y.d), (y.a + y.b) - (y.c + y.d),
          (y.a - y.b) - (y.c - y.d)};
}

}  // namespace mini::functors
