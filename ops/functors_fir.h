// Which taps of a filter meet pixels (ops/fir.h), for host and device.
#pragma once

#include <cstdint>

#include "tensor/host_device.h"

namespace mini::functors {

// Along one axis: tap first + t·up meets pixel `pixel` + t, for t < count.
struct FirTaps {
  std::int64_t first, pixel, count;
};

// For the place `at` of the result, where x has `size` pixels and margins begin `before` them.
MINI_HOST_DEVICE inline FirTaps fir_taps(std::int64_t at, std::int64_t size, std::int64_t kernel,
                                         std::int64_t up, std::int64_t down, std::int64_t before) {
  const std::int64_t start = at * down - before;  // of tap 0, in pixels and the zeros between
  const std::int64_t pixel = start <= 0 ? 0 : (start + up - 1) / up;
  const std::int64_t first = pixel * up - start;
  const std::int64_t met = first < kernel ? (kernel - 1 - first) / up + 1 : 0;
  const std::int64_t left = pixel < size ? size - pixel : 0;
  return {first, pixel, met < left ? met : left};
}

}  // namespace mini::functors
