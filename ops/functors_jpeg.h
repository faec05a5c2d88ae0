// The arithmetic of the JPEG simulator for host and device: tables, soft rounding, colours. How it
// is put together: ops/jpeg.h.
#pragma once

#include <cmath>

#include "ops/math.h"

namespace mini::functors {

// ITU-T T.81, Annex K.1: quantisation steps at quality 50, row by row (vertical frequency first).
inline constexpr double luminance_steps[64] = {16, 11, 10, 16, 24,  40,  51,  61,   //
                                               12, 12, 14, 19, 26,  58,  60,  55,   //
                                               14, 13, 16, 24, 40,  57,  69,  56,   //
                                               14, 17, 22, 29, 51,  87,  80,  62,   //
                                               18, 22, 37, 56, 68,  109, 103, 77,   //
                                               24, 35, 55, 64, 81,  104, 113, 92,   //
                                               49, 64, 78, 87, 103, 121, 120, 101,  //
                                               72, 92, 95, 98, 112, 100, 103, 99};
inline constexpr double chrominance_steps[64] = {17, 18, 24, 47, 99, 99, 99, 99,  //
                                                 18, 21, 26, 66, 99, 99, 99, 99,  //
                                                 24, 26, 56, 99, 99, 99, 99, 99,  //
                                                 47, 66, 99, 99, 99, 99, 99, 99,  //
                                                 99, 99, 99, 99, 99, 99, 99, 99,  //
                                                 99, 99, 99, 99, 99, 99, 99, 99,  //
                                                 99, 99, 99, 99, 99, 99, 99, 99,  //
                                                 99, 99, 99, 99, 99, 99, 99, 99};

// JFIF's colours, R'G'B' to centred Y, Cb, Cr and back; the offsets of 128 on chroma cancel.
inline constexpr double rgb_to_ycc[3][3] = {{0.299, 0.587, 0.114},  //
                                            {-0.168736, -0.331264, 0.5},
                                            {0.5, -0.418688, -0.081312}};
inline constexpr double ycc_to_rgb[3][3] = {{1, 0, 1.402},  //
                                            {1, -0.344136, -0.714136},
                                            {1, 1.772, 0}};

// Soft rounding r(v) = v - a(v)/π with the first nine terms of the sawtooth's Fourier series:
//   a(v) = Σ_{n=1..9} c_n·sin(2πnv), c_n = (-1)^{n+1}/n
//   r'(v) = 1 - 2·Σ (-1)^{n+1}·cos(2πnv): -1 at integers, 19 at half-integers
// One sine and one cosine suffice: Clenshaw's recurrence, b_n = c_n + 2cos(2πv)·b_{n+1} - b_{n+2}.
inline constexpr int soft_round_terms = 9;

template <class T>
MINI_HOST_DEVICE inline T soft_round(T v) {
  T sine, cosine;
  math::sincos_turn(v - std::nearbyint(v), sine, cosine);
  T b1 = 0, b2 = 0;
  for (int n = soft_round_terms; n >= 1; --n) {
    const T b0 = std::fma(T(2) * cosine, b1, T(n % 2 == 1 ? 1.0 / n : -1.0 / n) - b2);
    b2 = b1;
    b1 = b0;
  }
  return v - b1 * sine * T(0.318309886183790671538);
}

template <class T>
MINI_HOST_DEVICE inline T soft_round_slope(T v) {
  T sine, cosine;
  math::sincos_turn(v - std::nearbyint(v), sine, cosine);
  T b1 = 0, b2 = 0;
  for (int n = soft_round_terms; n >= 1; --n) {
    const T b0 = std::fma(T(2) * cosine, b1, T(n % 2 == 1 ? 1 : -1) - b2);
    b2 = b1;
    b1 = b0;
  }
  return T(1) - T(2) * (b1 * cosine - b2);
}

}  // namespace mini::functors
