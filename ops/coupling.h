// The affine coupling of an invertible block on values, no gradients: one pass over memory forward,
// one backward. All tensors of a call have one shape and dtype. Formulas: ops/functors_coupling.h.
#pragma once

#include "tensor/tensor.h"

namespace mini::ops {

Tensor coupling(const Tensor& x, const Tensor& h, const Tensor& g);          // x·e^s(h) + g
Tensor coupling_inverse(const Tensor& y, const Tensor& h, const Tensor& g);  // (y - g)/e^s(h)

struct CouplingGradients {
  Tensor dx;  // of the first operand
  Tensor dh;
};
// From dy and the operands of coupling; dg is dy.
CouplingGradients coupling_gradient(const Tensor& dy, const Tensor& x, const Tensor& h);
// From dx and the result x of coupling_inverse; dg is minus the first gradient.
CouplingGradients coupling_inverse_gradient(const Tensor& dx, const Tensor& x, const Tensor& h);

}  // namespace mini::ops
