// Views and copies: what can be done to a tensor without arithmetic. Views share storage and cost
// nothing. None of these records gradients; autograd/functions.h has differentiable twins.
#pragma once

#include <span>

#include "tensor/tensor.h"

namespace mini::ops {

// Elements [start, start + length) along `dim`.
Tensor narrow(const Tensor& x, int dim, std::int64_t start, std::int64_t length);
// Element `index` along `dim`, the dimension removed.
Tensor select(const Tensor& x, int dim, std::int64_t index);
// Dimension i of the result is dimension order[i] of x.
Tensor permute(const Tensor& x, std::span<const int> order);
Tensor transpose(const Tensor& x, int dim0, int dim1);
// Extents of 1 grow to those of `shape`, with stride 0; leading dimensions may be added.
Tensor expand(const Tensor& x, const Shape& shape);
Tensor squeeze(const Tensor& x, int dim);
Tensor unsqueeze(const Tensor& x, int dim);
// One extent may be -1. A view where the strides allow, else a contiguous copy.
Tensor reshape(const Tensor& x, const Shape& shape);
// `shape` with a -1 resolved against `numel`.
Shape infer_shape(const Shape& shape, std::int64_t numel, const char* op);

// Copies values, converting the dtype; shapes must be equal. `to` may be any view. Floating to
// integer truncates towards zero and saturates; NaN becomes 0.
void copy(const Tensor& from, const Tensor& to);
void fill(const Tensor& x, double value);
// x itself when it is already so, else a copy.
Tensor contiguous(const Tensor& x);
Tensor channels_last(const Tensor& x);  // rank 4: memory order N,H,W,C
Tensor cast(const Tensor& x, DType dtype);
Tensor to_device(const Tensor& x, Device device);
// Always a copy, with x's memory order if dense.
Tensor clone(const Tensor& x);

}  // namespace mini::ops
