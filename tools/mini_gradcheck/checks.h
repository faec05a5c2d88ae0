// What is checked for every row. For each of its cases:
//   forward    float64 and float32 against the plain reference, on strided and expanded inputs; the
//              inputs stay as they were; nothing is recorded without need
//   gradient   float64 Jacobian against differences; float32 gradients, gradients of the recorded
//   walk
//              and gradients for an expanded dy against the float64 ones
//   second     the Jacobian of the gradient, the same way
//   adjoint    <Ax, y> = <x, A'y> for linear inputs
//   exact      equality on integer-valued float32 data
// and once, the texts of its errors.
#pragma once

#include "tools/mini_gradcheck/row.h"

namespace mini::suite {

struct Report {
  const Row* row = nullptr;
  int cases = 0;             // each of other shapes and memory layouts
  std::int64_t checks = 0;   // comparisons made
  std::int64_t entries = 0;  // entries of Jacobians among them
  double forward = 0;        // largest errors, float32 forward
  double gradient = -1;      // -1: not checked
  double second = -1;
  double adjoint = -1;
  // What the cases covered.
  bool smallest = false, odd = false, strided = false, broadcast = false;
  std::vector<std::string> failures;

  bool passed() const { return failures.empty(); }
};

inline constexpr int cases_per_row = 14;

// Computes on `device`, and the references on the CPU. Not on it: the texts of errors.
Report run(const Row& row, Device device = {});

}  // namespace mini::suite
