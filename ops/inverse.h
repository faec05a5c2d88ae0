// The inverse of a small matrix without gradients, for the permutations of flows. Read next:
// ops/functors_inverse.h.
#pragma once

#include "tensor/tensor.h"

namespace mini::ops {

struct Inverse {
  Tensor matrix;       // [K,K]
  Tensor log_abs_det;  // []
};

// Of a matrix [K,K], computed in double. The cost grows with K³, on one thread. A singular matrix
// has an inverse that is not finite, and a logarithm of -infinity.
Inverse inverse(const Tensor& matrix);

}  // namespace mini::ops
