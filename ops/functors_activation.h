// Bias and LeakyReLU per element (ops/activation.h), for host and device.
#pragma once

#include "tensor/host_device.h"

namespace mini::functors {

struct FusedLeakyRelu {
  double slope, scale;
  template <class T>
  MINI_HOST_DEVICE void operator()(T& y, T x, T bias) const {
    const T v = x + bias;
    y = v * (v > T(0) ? static_cast<T>(scale) : static_cast<T>(slope * scale));
  }
};

struct FusedLeakyReluGradient {
  double slope, scale;
  template <class T>
  MINI_HOST_DEVICE void operator()(T& dx, T dy, T y) const {
    dx = dy * (y > T(0) ? static_cast<T>(scale) : static_cast<T>(slope * scale));
  }
};

}  // namespace mini::functors
