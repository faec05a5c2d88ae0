// Reductions on values, no gradients: a result element combines all elements along some dimensions.
//
// Floats are added in double and in fixed blocks, so a sum of float32 values is the exact sum but
// for one rounding (unless terms cancel to 1e-16), and has the same bits at any thread count. A sum
// over any dimensions of a dense tensor, whatever its memory order, reads it in place.
// Read next: ops/cpu/reduce.cpp.
#pragma once

#include <span>

#include "ops/params.h"
#include "tensor/tensor.h"

namespace mini::ops {

// The extents of a reduction's result: `dims` become 1 (keep_dims) or vanish. Throws, naming `op`,
// on a dimension out of range or named twice.
Shape reduced_shape(const Shape& shape, std::span<const int> dims, bool keep_dims, const char* op);

// The sum of nothing is 0; the maximum of nothing is an Error. NaN wins any maximum.
Tensor reduce(Reduction op, const Tensor& x, std::span<const int> dims, bool keep_dims = false);
Tensor sum(const Tensor& x, std::span<const int> dims, bool keep_dims = false);
Tensor sum(const Tensor& x);  // all elements, shape []
Tensor amax(const Tensor& x, int dim, bool keep_dims = false);
// int64 positions along `dim`, which vanishes; the first of equals, the first NaN before all else.
Tensor argmax(const Tensor& x, int dim);
// exp(x) / Σ exp(x) along `dim`, or its logarithm; computed from x - max(x), so nothing overflows.
Tensor softmax(const Tensor& x, int dim, bool logarithm = false);
// Sums x down to `shape`, from which x's shape follows by broadcasting.
Tensor sum_to(const Tensor& x, const Shape& shape);
// int64 labels [..] -> [.., classes]: 1 at the label, else 0. A label outside is an Error.
Tensor one_hot(const Tensor& labels, std::int64_t classes, DType dtype = DType::float32);

}  // namespace mini::ops
