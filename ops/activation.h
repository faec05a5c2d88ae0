// Bias and LeakyReLU in one pass over memory, without gradients.
//
//   v = x + bias     y = scale·(v where v > 0, else slope·v)
//
// Read next: ops/functors_activation.h.
#pragma once

#include "tensor/tensor.h"

namespace mini::ops {

// x [N,C,..], bias [C]; slope >= 0 and scale > 0, so that y has the sign of v.
Tensor fused_leaky_relu(const Tensor& x, const Tensor& bias, double slope, double scale);
// The gradient of x, from the result y.
Tensor fused_leaky_relu_gradient(const Tensor& dy, const Tensor& y, double slope, double scale);

}  // namespace mini::ops
