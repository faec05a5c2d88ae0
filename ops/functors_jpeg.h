// The arithmetic of the JPEG simulator, for host and device: tables, soft rounding, colour
// conversion. ops/jpeg.h describes the whole.
#pragma once

#include <cmath>

#include "ops/math.h"

namespace mini::functors {

// Quantisation tables at quality 50 (ITU-T T.81, Annex K.1), row by row; rows are vertical
// frequencies.
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

// The colour matrices of JFIF, RGB to Y, Cb, Cr and back. Cb and Cr are centred at 0: JFIF's offset
// of 128 cancels.
inline constexpr double rgb_to_ycc[3][3] = {{0.299, 0.587, 0.114},  //
                                            {-0.168736, -0.331264, 0.5},
                                            {0.5, -0.418688, -0.081312}};
inline constexpr double ycc_to_rgb[3][3] = {{1, 0, 1.402},  //
                                            {1, -0.344136, -0.714136},
                                            {1, 1.772, 0}};

// The constants of the simulator in its own precision. A kernel receives them by value.
template <class T>
struct JpegTables {
  T dct[64];            // orthonormal, [frequency, sample]
  double steps[2][64];  // luminance, chrominance; at quality 50
  T to_ycc[3][3], to_rgb[3][3];

  // `matrix` is ops::dct_matrix().
  explicit JpegTables(const double* matrix) {
    for (int k = 0; k < 64; ++k) {
      dct[k] = static_cast<T>(matrix[k]);
      steps[0][k] = luminance_steps[k];
      steps[1][k] = chrominance_steps[k];
    }
    for (int i = 0; i < 3; ++i)
      for (int j = 0; j < 3; ++j) {
        to_ycc[i][j] = static_cast<T>(rgb_to_ycc[i][j]);
        to_rgb[i][j] = static_cast<T>(ycc_to_rgb[i][j]);
      }
  }
};

// Colour conversion of one pixel, and the adjoints. `row` is a row of the matrix in JpegTables.
// Before the DCT: Y, Cb or Cr of a colour in 0..255.
template <class T>
MINI_HOST_DEVICE inline T mix_colours(const T (&row)[3], T r, T g, T b) {
  return row[0] * r + row[1] * g + row[2] * b;
}
template <class T>
MINI_HOST_DEVICE inline T mix_colours_adjoint(const T (&to_ycc)[3][3], int colour, T dy, T dcb,
                                              T dcr) {
  return (to_ycc[0][colour] * dy + (to_ycc[1][colour] * dcb + to_ycc[2][colour] * dcr) * T(0.25)) *
         T(255);
}
// After the inverse DCT: a colour in 0..1, not yet clamped.
template <class T>
MINI_HOST_DEVICE inline T join_colours(const T (&row)[3], T y, T cb, T cr) {
  return (y + T(128) + row[1] * cb + row[2] * cr) / T(255);
}
template <class T>
MINI_HOST_DEVICE inline T join_colours_adjoint(const T (&to_rgb)[3][3], int component, T r, T g,
                                               T b) {
  return to_rgb[0][component] * r + to_rgb[1][component] * g + to_rgb[2][component] * b;
}

// Soft rounding r(v) = v - a(v)/π uses the first nine terms of the sawtooth's Fourier series:
//   a(v) = Σ_{n=1..9} c_n·sin(2πnv), c_n = (-1)^{n+1}/n
//   r'(v) = 1 - 2·Σ (-1)^{n+1}·cos(2πnv): -1 at integers, 19 at half-integers
// Clenshaw's recurrence b_n = c_n + 2cos(2πv)·b_{n+1} - b_{n+2} needs one sine and one cosine only.
inline constexpr int soft_round_terms = 9;

template <class T>
MINI_HOST_DEVICE inline T soft_round(T v) {
  T sine, cosine;
  math::sincos_turn(v - std::nearbyint(v), sine, cosine);
  T b1 = 0, b2 = 0;
  for (int n = soft_round_terms; n >= 1; --n) {
    const T b0 = math::fma(T(2) * cosine, b1, T(n % 2 == 1 ? 1.0 / n : -1.0 / n) - b2);
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
    const T b0 = math::fma(T(2) * cosine, b1, T(n % 2 == 1 ? 1 : -1) - b2);
    b2 = b1;
    b1 = b0;
  }
  return T(1) - T(2) * (b1 * cosine - b2);
}

}  // namespace mini::functors
