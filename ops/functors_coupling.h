// The affine coupling of an invertible block, per element, for host and device.
//
//   s = 2·sigmoid(h) - 1 (between -1 and 1, so e^s cannot overflow in either direction)
//   y = x·e^s + g,  x = (y - g)/e^s,  ds/dh = 2·sigmoid(h)·(1 - sigmoid(h)) = (1 - s²)/2
#pragma once

#include "ops/functors.h"

namespace mini::functors {

template <class T>
MINI_HOST_DEVICE inline T coupling_log_scale(T h) {
  return T(2) * sigmoid(h) - T(1);
}

struct Coupling {
  template <class T>
  MINI_HOST_DEVICE void operator()(T& y, T x, T h, T g) const {
    y = x * math::exp(coupling_log_scale(h)) + g;
  }
};

struct CouplingInverse {
  template <class T>
  MINI_HOST_DEVICE void operator()(T& x, T y, T h, T g) const {
    x = (y - g) / math::exp(coupling_log_scale(h));
  }
};

// dg = dy.
struct CouplingGradient {
  template <class T>
  MINI_HOST_DEVICE void operator()(T& dx, T& dh, T dy, T x, T h) const {
    const T s = coupling_log_scale(h);
    dx = dy * math::exp(s);
    dh = dx * x * (T(0.5) - T(0.5) * s * s);
  }
};

// From the gradient dx of the inverse's result x; dg = -dy.
struct CouplingInverseGradient {
  template <class T>
  MINI_HOST_DEVICE void operator()(T& dy, T& dh, T dx, T x, T h) const {
    const T s = coupling_log_scale(h);
    dy = dx / math::exp(s);
    dh = -dx * x * (T(0.5) - T(0.5) * s * s);
  }
};

}  // namespace mini::functors
