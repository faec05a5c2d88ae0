// The content-adaptive resampler (ops/resample.h) per tap, for host and device.
#pragma once

#include <cmath>
#include <cstdint>

#include "tensor/host_device.h"

namespace mini::functors {

// The two pixels between which a position lies along one axis, and how far from the first.
template <class T>
struct Between {
  std::int64_t low, high;
  T fraction;

  // How much of the value at `pixel` a position takes.
  MINI_HOST_DEVICE T share(std::int64_t pixel) const {
    return (pixel == low ? T(1) - fraction : T(0)) + (pixel == high ? fraction : T(0));
  }
};

// The position (at + 1/2)·scale - 1/2 + tap + scale·offset among `size` pixels. Its whole part is
// found in integers, so that the fraction is exact for large images in float32, too.
template <class T>
MINI_HOST_DEVICE inline Between<T> tap_position(std::int64_t at, std::int64_t tap, T offset,
                                                std::int64_t scale, std::int64_t size) {
  const T shift = static_cast<T>(scale) * offset + (scale % 2 == 0 ? T(0.5) : T(0));
  const T below = std::floor(shift);
  const T limit = T(1e9);  // also where the offset is NaN
  const T bounded = below > -limit ? (below < limit ? below : limit) : -limit;
  const std::int64_t pixel =
      at * scale + (scale - 1) / 2 + tap + static_cast<std::int64_t>(bounded);
  const std::int64_t low = pixel < 0 ? 0 : pixel < size ? pixel : size - 1;
  return {low, low + 1 < size ? low + 1 : size - 1, shift - below};
}

// The values of one channel at the four pixels around a tap.
template <class T>
struct Corners {
  T a, b, c, d;  // low row: low and high column; high row: likewise

  MINI_HOST_DEVICE T value(T fx, T fy) const {
    const T top = a + fx * (b - a), bottom = c + fx * (d - c);
    return top + fy * (bottom - top);
  }
  MINI_HOST_DEVICE T slope_x(T fy) const { return (b - a) + fy * ((d - c) - (b - a)); }
  MINI_HOST_DEVICE T slope_y(T fx) const { return (c - a) + fx * ((d - b) - (c - a)); }
};

template <class T>
MINI_HOST_DEVICE inline Corners<T> corners(const T* plane, std::int64_t width, const Between<T>& x,
                                           const Between<T>& y) {
  const T* const top = plane + y.low * width;
  const T* const bottom = plane + y.high * width;
  return {top[x.low], top[x.high], bottom[x.low], bottom[x.high]};
}

}  // namespace mini::functors
