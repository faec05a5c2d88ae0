// The checks of a row. Each of its cases is checked for:
//   forward    float64 and float32 values equal the reference, on strided and expanded inputs, too;
//              inputs do not change; nothing is recorded without need
//   gradient   the float64 Jacobian equals differences; float32 gradients, gradients of the
//   recorded
//              walk and gradients for an expanded dy equal the float64 ones
//   second     the same for the Jacobian of the gradient
//   adjoint    <Ax, y> = <x, A'y> for linear inputs
//   exact      results are equal on integer-valued float32 data
// The texts of its errors are checked once.
#pragma once

#include "tools/mini_gradcheck/row.h"

namespace mini::suite {

struct Report {
  const Row* row = nullptr;
  int cases = 0;             // they differ in shapes or memory layouts
  std::int64_t checks = 0;   // number of comparisons
  std::int64_t entries = 0;  // of which entries of Jacobians
  double forward = 0;        // largest errors of float32 values
  double gradient = -1;      // -1: not checked
  double second = -1;
  double adjoint = -1;
  // Which special cases have occurred.
  bool smallest = false, odd = false, strided = false, broadcast = false;
  std::vector<std::string> failures;

  bool passed() const { return failures.empty(); }
};

inline constexpr int cases_per_row = 14;

// Runs the function on `device` and its reference on the CPU. Error texts are checked on the CPU
// only.
Report run(const Row& row, Device device = {});

}  // namespace mini::suite
