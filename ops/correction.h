// Corrections restore the exact bits of a tensor from an estimate, at about one byte per element.
// Reversible training uses them (models/invertible/chain.h), where x is known up to rounding from the
// result computed from it.
//
// The floating-point numbers of a type, sorted by value, can be numbered. With place(v) the number
// of v,
//   code = place(x) - place(estimate) + 128    if this lies in 1 .. 255 and the estimate is not NaN
//   code = 0, and x itself is stored in `aside`    otherwise
// This restores every x bit for bit, including infinities, zeros of either sign, subnormals and
// NaN.
#pragma once

#include "tensor/tensor.h"

namespace mini::ops {

struct Correction {
  Tensor codes;   // uint8, shape of x
  Tensor starts;  // int64 [blocks + 1]: elements of `aside` before each block of the tensor
  Tensor aside;   // the elements with code 0, in order, in the dtype of x
  std::size_t bytes() const { return codes.bytes() + starts.bytes() + aside.bytes(); }
};

// x and estimate have equal shapes and are float32 or float64, on one device.
Correction correction(const Tensor& x, const Tensor& estimate);
// Returns x, contiguous, from the same estimate. Overwrites an estimate that is contiguous and
// unshared.
Tensor corrected(Tensor estimate, const Correction& correction);

}  // namespace mini::ops
