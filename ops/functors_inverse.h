// The inverse of a small matrix by Gauss-Jordan elimination with partial pivoting, for host and
// device.
#pragma once

#include <cmath>
#include <cstdint>

#include "tensor/host_device.h"

namespace mini::functors {

// m [size,size] becomes the identity and y, which is the identity at first, its inverse. Returns
// log|det m|.
MINI_HOST_DEVICE inline double invert(double* m, double* y, std::int64_t size) {
  double log_abs_det = 0;
  for (std::int64_t k = 0; k < size; ++k) {
    std::int64_t pivot = k;
    for (std::int64_t i = k + 1; i < size; ++i)
      if (std::abs(m[i * size + k]) > std::abs(m[pivot * size + k])) pivot = i;
    log_abs_det += std::log(std::abs(m[pivot * size + k]));
    const double scale = 1 / m[pivot * size + k];
    for (std::int64_t j = 0; j < size; ++j)  // exchanges the rows, and scales the pivot's
      for (double* const matrix : {m, y}) {
        const double upper = matrix[k * size + j];
        matrix[k * size + j] = matrix[pivot * size + j] * scale;
        if (pivot != k) matrix[pivot * size + j] = upper;
      }
    for (std::int64_t i = 0; i < size; ++i) {
      const double factor = m[i * size + k];
      if (i == k || factor == 0) continue;
      for (std::int64_t j = 0; j < size; ++j) {
        m[i * size + j] -= factor * m[k * size + j];
        y[i * size + j] -= factor * y[k * size + j];
      }
    }
  }
  return log_abs_det;
}

}  // namespace mini::functors
