// Reductions without gradients: an element of the result combines all elements along some
// dimensions.
//
// Floats are added in double and in fixed blocks. So a sum of float32 values is the exact sum,
// rounded once (unless terms cancel to 1e-16), and has the same bits at any thread count. A sum
// over any dimensions of a dense tensor needs no copy, whatever the memory order. Read next:
// ops/cpu/reduce.cpp.
#pragma once

#include <span>

#include "ops/params.h"
#include "tensor/tensor.h"

namespace mini::ops {

// The shape of a reduction's result: the extents of `dims` become 1 (keep_dims) or are removed.
// Throws an Error that names `op` if a dimension is out of range or occurs twice.
Shape reduced_shape(const Shape& shape, std::span<const int> dims, bool keep_dims, const char* op);

// The sum of no elements is 0; their maximum is an Error. NaN wins every maximum.
Tensor reduce(Reduction op, const Tensor& x, std::span<const int> dims, bool keep_dims = false);
Tensor sum(const Tensor& x, std::span<const int> dims, bool keep_dims = false);
Tensor sum(const Tensor& x);  // all elements, shape []
Tensor amax(const Tensor& x, int dim, bool keep_dims = false);
// int64 positions along `dim`, which is removed. Of equal elements the first wins; the first NaN
// wins against all numbers.
Tensor argmax(const Tensor& x, int dim);
// exp(x) / Σ exp(x) along `dim`, or its logarithm. Computed from x - max(x), so it cannot overflow.
Tensor softmax(const Tensor& x, int dim, bool logarithm = false);
// Sums x over the dimensions along which `shape` was broadcast to that of x.
Tensor sum_to(const Tensor& x, const Shape& shape);
// int64 labels [..] -> [..,classes]: 1 at the label, 0 elsewhere. Throws for a label outside
// 0..classes-1.
Tensor one_hot(const Tensor& labels, std::int64_t classes, DType dtype = DType::float32);

}  // namespace mini::ops
