// fma, exp, sine and cosine for float, written so that compilers vectorise loops over them, and so
// that vector code, its scalar remainder and every device give the same bits.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#include "tensor/host_device.h"

namespace mini::math {

// a·b + c, rounded once. For processors without the instruction it is written out, since a call of
// the C library would keep loops from being vectorised.
MINI_HOST_DEVICE inline float fma(float a, float b, float c) {
#if defined(__CUDA_ARCH__) || defined(__FMA__) || defined(__ARM_FEATURE_FMA)
  return std::fma(a, b, c);
#else
  const double product = static_cast<double>(a) * static_cast<double>(b);  // exact
  const double sum = product + static_cast<double>(c);
  // The rounding error of the sum, exactly (D. Knuth, "The Art of Computer Programming", 4.2.2).
  const double term = sum - product;
  const double error = (product - (sum - term)) + (static_cast<double>(c) - term);
  // With the sum rounded to odd, rounding it once more to float gives the correctly rounded a·b + c
  // (see round_to_odd in tensor/convert.h).
  auto bits = std::bit_cast<std::uint64_t>(sum);
  if ((bits & 1u) == 0 && (error > 0 || error < 0)) bits += (error > 0) == (sum > 0) ? 1 : -1;
  return static_cast<float>(std::bit_cast<double>(bits));
#endif
}

MINI_HOST_DEVICE inline double fma(double a, double b, double c) { return std::fma(a, b, c); }

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
  const float shifted = fma(x, 1.44269504f, magic);
  const float n = shifted - magic;
  // ln 2 is split in two; the first part has few bits, so that its product with n is exact.
  float r = fma(n, -0.693145752f, x);
  r = fma(n, -1.42860677e-6f, r);
  float p = 1.0f / 5040;
  p = fma(p, r, 1.0f / 720);
  p = fma(p, r, 1.0f / 120);
  p = fma(p, r, 1.0f / 24);
  p = fma(p, r, 1.0f / 6);
  p = fma(p, r, 0.5f);
  p = fma(p, r, 1.0f);
  p = fma(p, r, 1.0f);
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
  s = fma(s, y2, 1.0f / 362880);
  s = fma(s, y2, -1.0f / 5040);
  s = fma(s, y2, 1.0f / 120);
  s = fma(s, y2, -1.0f / 6);
  s = fma(s * y2, y, y);
  float c = 1.0f / 479001600;
  c = fma(c, y2, -1.0f / 3628800);
  c = fma(c, y2, 1.0f / 40320);
  c = fma(c, y2, -1.0f / 720);
  c = fma(c, y2, 1.0f / 24);
  c = fma(c, y2, -0.5f);
  c = fma(c, y2, 1.0f);
  sine = 2.0f * s * c;
  cosine = fma(-2.0f * s, s, 1.0f);
}

MINI_HOST_DEVICE inline void sincos_turn(double t, double& sine, double& cosine) {
  sine = std::sin(6.283185307179586 * t);
  cosine = std::cos(6.283185307179586 * t);
}

}  // namespace mini::math
