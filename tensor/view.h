// Views and copies of tensors. Views share the storage and copy nothing. These functions record no
// gradients; autograd/functions.h has differentiable ones of the same names.
#pragma once

#include <span>

#include "tensor/tensor.h"

namespace mini::ops {

// Elements [start, start + length) along `dim`.
Tensor narrow(const Tensor& x, int dim, std::int64_t start, std::int64_t length);
// Element `index` along `dim`; the dimension is removed.
Tensor select(const Tensor& x, int dim, std::int64_t index);
// Dimension i of the result is dimension order[i] of x.
Tensor permute(const Tensor& x, std::span<const int> order);
Tensor transpose(const Tensor& x, int dim0, int dim1);
// Expands extents of 1 to those of `shape`, with stride 0; `shape` may have additional leading
// dimensions.
Tensor expand(const Tensor& x, const Shape& shape);
Tensor squeeze(const Tensor& x, int dim);
Tensor unsqueeze(const Tensor& x, int dim);
// One extent may be -1. Returns a view where the strides allow it, else a contiguous copy.
Tensor reshape(const Tensor& x, const Shape& shape);
// `shape` with the extent -1, if there is one, replaced so that there are `numel` elements.
Shape infer_shape(const Shape& shape, std::int64_t numel, const char* op);

// Copies values into `to`, which may be any view, and converts the dtype; shapes must be equal.
// Floating to integer truncates towards zero and saturates; NaN becomes 0.
void copy(const Tensor& from, const Tensor& to);
void fill(const Tensor& x, double value);
// Each returns x itself if it already has the wanted property, else a copy.
Tensor contiguous(const Tensor& x);
Tensor channels_last(const Tensor& x);  // rank 4: memory order N,H,W,C
Tensor cast(const Tensor& x, DType dtype);
Tensor to_device(const Tensor& x, Device device);
// Always a copy; it keeps the memory order of x if x is dense.
Tensor clone(const Tensor& x);

}  // namespace mini::ops
