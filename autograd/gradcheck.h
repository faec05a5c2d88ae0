// Gradient checks: the Jacobian computed by backward is compared, entry by entry in float64, with
// central differences, (f(x + e) - f(x - e)) / 2e.
//
// Use them when you add an op: gradcheck tests its backward, gradgradcheck the backward of its
// backward.
//   const Tensor x = ops::normal(random, {3, 4}, DType::float64).set_requires_grad();
//   const auto f = [](const Tensors& in) { return Tensors{exp(in[0])}; };
//   const GradCheckResult result = gradcheck(f, {x});
//   if (!result.passed) std::cerr << result.text;
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "tensor/tensor.h"

namespace mini {

using TensorFunction = std::function<Tensors(const Tensors&)>;

struct GradCheckOptions {
  double epsilon = 1e-6;  // the step e
  // Entries agree when |analytic - numeric| <= absolute + relative·|numeric|.
  double absolute = 1e-5;
  double relative = 1e-3;
  // For a gradient that is deliberately not the derivative (a straight-through estimator): the
  // function whose derivative it should equal. Empty: the function itself.
  TensorFunction derivative_of = {};
};

struct GradCheckResult {
  bool passed = true;
  double error = 0;           // largest |analytic - numeric| / max(1, |numeric|)
  std::int64_t compared = 0;  // number of entries of the Jacobians
  std::string text;           // the first entries that disagree, if any
};

// Checks d(every output)/d(every input that requires a gradient). These inputs must be float64 and
// farther than epsilon from every kink of the function. They may be on any device and have any
// strides, but must not be expanded views. Their elements are changed during the check and then
// restored. Throws what the function throws.
GradCheckResult gradcheck(const TensorFunction& function, const Tensors& inputs,
                          const GradCheckOptions& options = {});

// Checks the gradient as a function of the inputs and of the outputs' gradients.
GradCheckResult gradgradcheck(const TensorFunction& function, const Tensors& inputs,
                              const GradCheckOptions& options = {});

}  // namespace mini
