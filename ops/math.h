// exp, sine and cosine for float, written so that compilers vectorise loops over them, and so that
// vector code, its scalar remainder and every device give the same bits.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#include "tensor/host_device.h"

namespace mini::math {

// e^x with an error of about one unit in the last place, subnormal results included; 0 below -104,
// infinity above 88.72, NaN for NaN.
//
//   x = n·ln 2 + r, |r| <= ln 2 / 2:  e^x = 2^n · e^r,  e^r by its series up to r^7/7!
//   (the next term is below 6e-9, an eighth of a unit in the last place).
MINI_HOST_DEVICE inline float exp(float x) {
  // Outside these bounds the result is 0 or infinity anyway. NaN passes both comparisons.
  x = x < -105.0f ? -105.0f : x;
  x = x > 89.0f ? 89.0f : x;
  // Adding 1.5·2^23 rounds to an integer, which is then in the low bits of the sum.
  const float magic = 12582912.0f;
  const float shifted = std::fma(x, 1.44269504f, magic);
  const float n = shifted - magic;
  // ln 2 is split in two; the first part has few bits, so that its product with n is exact.
  float r = std::fma(n, -0.693145752f, x);
  r = std::fma(n, -1.42860677e-6f, r);
  float p = 1.0f / 5040;
  p = std::fma(p, r, 1.0f / 720);
  p = std::fma(p, r, 1.0f / 120);
  p = std::fma(p, r, 1.0f / 24);
  p = std::fma(p, r, 1.0f / 6);
  p = std::fma(p, r, 0.5f);
  p = std::fma(p, r, 1.0f);
  p = std::fma(p, r, 1.0f);
  // 2^n as a product of two powers, since one exponent field cannot hold all n = -151 .. 128.
  const auto whole = static_cast<std::int32_t>(std::bit_cast<std::uint32_t>(shifted) -
                                               std::bit_cast<std::uint32_t>(magic));
  const std::int32_t half = whole >> 1;
  const auto power = [](std::int32_t k) {
    return std::bit_cast<float>(static_cast<std::uint32_t>(k + 127) << 23);
  };
  return p * power(half) * power(whole - half);
}

MINI_HOST_DEVICE inline double exp(double x) { return std::exp(x); }

// sin(2πt) and cos(2πt) for |t| <= 1/2, with an error below 3e-7. The series converges faster at
// half the angle; then sin 2y = 2 sin y cos y and cos 2y = 1 - 2 sin² y.
MINI_HOST_DEVICE inline void sincos_turn(float t, float& sine, float& cosine) {
  const float y = 3.14159265f * t;
  const float y2 = y * y;
  float s = -1.0f / 39916800;
  s = std::fma(s, y2, 1.0f / 362880);
  s = std::fma(s, y2, -1.0f / 5040);
  s = std::fma(s, y2, 1.0f / 120);
  s = std::fma(s, y2, -1.0f / 6);
  s = std::fma(s * y2, y, y);
  float c = 1.0f / 479001600;
  c = std::fma(c, y2, -1.0f / 3628800);
  c = std::fma(c, y2, 1.0f / 40320);
  c = std::fma(c, y2, -1.0f / 720);
  c = std::fma(c, y2, 1.0f / 24);
  c = std::fma(c, y2, -0.5f);
  c = std::fma(c, y2, 1.0f);
  sine = 2.0f * s * c;
  cosine = std::fma(-2.0f * s, s, 1.0f);
}

MINI_HOST_DEVICE inline void sincos_turn(double t, double& sine, double& cosine) {
  sine = std::sin(6.283185307179586 * t);
  cosine = std::cos(6.283185307179586 * t);
}

}  // namespace mini::math
