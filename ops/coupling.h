// The affine coupling of an invertible block, without gradients, and its gradient; each is one pass
// over memory. All tensors of a call have the same shape and dtype. ops/functors_coupling.h has the
// formulas.
#pragma once

#include "tensor/tensor.h"

namespace mini::ops {

Tensor coupling(const Tensor& x, const Tensor& h, const Tensor& g);          // x·e^s(h) + g
Tensor coupling_inverse(const Tensor& y, const Tensor& h, const Tensor& g);  // (y - g)/e^s(h)

struct CouplingGradients {
  Tensor dx;  // gradient of the first operand
  Tensor dh;
};
// From dy and the operands x and h of coupling; dg = dy.
CouplingGradients coupling_gradient(const Tensor& dy, const Tensor& x, const Tensor& h);
// From dx and the result x of coupling_inverse; dg = -(gradient of the first operand).
CouplingGradients coupling_inverse_gradient(const Tensor& dx, const Tensor& x, const Tensor& h);

}  // namespace mini::ops
