// Whether a function's gradient is right: the Jacobian that backward gives against the one that
// small changes of the input give, (f(x + e) - f(x - e)) / 2e, entry by entry in float64.
//
// For whoever adds an op: gradcheck tests its backward, gradgradcheck the backward of that.
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
  double epsilon = 1e-6;  // the change e
  // Entries agree when |analytic - numeric| <= absolute + relative·|numeric|.
  double absolute = 1e-5;
  double relative = 1e-3;
  // Where the gradient is deliberately not the derivative (straight-through estimators): the
  // function whose derivative it should be. Empty: the function itself.
  TensorFunction derivative_of = {};
};

struct GradCheckResult {
  bool passed = true;
  double error = 0;           // largest |analytic - numeric| / max(1, |numeric|)
  std::int64_t compared = 0;  // entries of the Jacobians
  std::string text;           // empty, or the first entries that disagree
};

// Checks d(every output)/d(every input that requires a gradient). Inputs are float64, of any
// strides but those of an expanded view, on any device, and away from kinks of the function by more than epsilon;
// their elements are changed while this runs and then put back. Throws what the function throws.
GradCheckResult gradcheck(const TensorFunction& function, const Tensors& inputs,
                          const GradCheckOptions& options = {});

// The same for the gradient itself, as a function of the inputs and of the outputs' gradients.
GradCheckResult gradgradcheck(const TensorFunction& function, const Tensors& inputs,
                              const GradCheckOptions& options = {});

}  // namespace mini
