// What turns an estimate of a tensor back into its exact bits, in about a byte per element: for
// reversible training (models/invertible/chain.h), where x is known up to rounding from what came of it.
//
// Floating-point numbers of one type, sorted by value, can be counted: the n-th representable number
// after another is n steps away. With place(v) the position of v in that order,
//   code = place(x) - place(estimate) + 128    if that lies in 1 .. 255 and the estimate is a number
//   code = 0, and x itself is kept aside        otherwise
// which holds for infinities, zeros of either sign, denormals and NaN alike: x returns bit for bit.
#pragma once

#include "tensor/tensor.h"

namespace mini::ops {

struct Correction {
  Tensor codes;   // uint8, like x
  Tensor starts;  // int64: how many elements were kept aside before each block of the elements
  Tensor aside;   // those elements, in order, of x's dtype
  std::size_t bytes() const { return codes.bytes() + starts.bytes() + aside.bytes(); }
};

// x and estimate: equal shapes, float32 or float64.
Correction correction(const Tensor& x, const Tensor& estimate);
// x, contiguous, from the same estimate. An unshared contiguous estimate is overwritten.
Tensor corrected(Tensor estimate, const Correction& correction);

}  // namespace mini::ops
