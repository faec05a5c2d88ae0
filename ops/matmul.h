// Matrix products without gradients.
#pragma once

#include "tensor/tensor.h"

namespace mini::ops {

// [..,M,K] x [..,K,N] -> [..,M,N], contiguous; leading dimensions broadcast. Operands may have any
// strides, so a transposed operand needs no copy. float32 or float64; on CUDA also 16-bit types.
Tensor matmul(const Tensor& a, const Tensor& b);

}  // namespace mini::ops
