#include "tensor/view.h"

#include <array>

namespace mini::ops {

Tensor narrow(const Tensor& x, int dim, std::int64_t start, std::int64_t length) {
  dim = normalize_dim(dim, x.rank(), "narrow");
  check(start >= 0 && length >= 0 && start <= x.shape()[dim] - length, "narrow: [", start, ", ",
        start + length, ") is outside dimension ", dim, " of ", x.shape());
  Shape shape = x.shape();
  shape[dim] = length;
  return x.as_strided(shape, x.strides(), x.offset() + start * x.strides()[dim]);
}

Tensor select(const Tensor& x, int dim, std::int64_t index) {
  dim = normalize_dim(dim, x.rank(), "select");
  check(index >= 0 && index < x.shape()[dim], "select: index ", index, " is outside dimension ",
        dim, " of ", x.shape());
  return squeeze(narrow(x, dim, index, 1), dim);
}

Tensor permute(const Tensor& x, std::span<const int> order) {
  check(static_cast<int>(order.size()) == x.rank(), "permute: an order of ", order.size(),
        " dimensions for a tensor of shape ", x.shape());
  Shape shape, strides;
  unsigned seen = 0;
  for (int dim : order) {
    dim = normalize_dim(dim, x.rank(), "permute");
    check((seen & (1u << dim)) == 0, "permute: dimension ", dim, " appears twice");
    seen |= 1u << dim;
    shape.push_back(x.shape()[dim]);
    strides.push_back(x.strides()[dim]);
  }
  return x.as_strided(shape, strides, x.offset());
}

Tensor transpose(const Tensor& x, int dim0, int dim1) {
  dim0 = normalize_dim(dim0, x.rank(), "transpose");
  dim1 = normalize_dim(dim1, x.rank(), "transpose");
  Shape shape = x.shape();
  Shape strides = x.strides();
  std::swap(shape[dim0], shape[dim1]);
  std::swap(strides[dim0], strides[dim1]);
  return x.as_strided(shape, strides, x.offset());
}

Tensor expand(const Tensor& x, const Shape& shape) {
  const int shift = shape.rank() - x.rank();
  check(shift >= 0, "expand: ", x.shape(), " has more dimensions than ", shape);
  Shape strides = shape;
  for (int i = 0; i < shape.rank(); ++i) {
    const std::int64_t extent = i < shift ? 1 : x.shape()[i - shift];
    check(extent == shape[i] || extent == 1, "expand: ", x.shape(), " does not expand to ", shape);
    strides[i] = i < shift || (extent == 1 && shape[i] != 1) ? 0 : x.strides()[i - shift];
  }
  return x.as_strided(shape, strides, x.offset());
}

Tensor squeeze(const Tensor& x, int dim) {
  dim = normalize_dim(dim, x.rank(), "squeeze");
  check(x.shape()[dim] == 1, "squeeze: dimension ", dim, " of ", x.shape(), " is not 1");
  Shape shape, strides;
  for (int i = 0; i < x.rank(); ++i) {
    if (i == dim) continue;
    shape.push_back(x.shape()[i]);
    strides.push_back(x.strides()[i]);
  }
  return x.as_strided(shape, strides, x.offset());
}

Tensor unsqueeze(const Tensor& x, int dim) {
  dim = normalize_dim(dim, x.rank() + 1, "unsqueeze");
  Shape shape, strides;
  for (int i = 0; i <= x.rank(); ++i) {
    const bool inserted = i == dim;
    const int source = i < dim ? i : i - 1;
    shape.push_back(inserted ? 1 : x.shape()[source]);
    strides.push_back(inserted ? 1 : x.strides()[source]);
  }
  return x.as_strided(shape, strides, x.offset());
}

Shape infer_shape(const Shape& shape, std::int64_t numel, const char* op) {
  Shape result = shape;
  int unknown = -1;
  for (int i = 0; i < shape.rank(); ++i) {
    if (shape[i] != -1) continue;
    check(unknown < 0, op, ": more than one extent of ", shape, " is -1");
    unknown = i;
  }
  if (unknown >= 0) {
    result[unknown] = 1;
    const std::int64_t known = result.numel();
    check(known > 0 && numel % known == 0, op, ": ", numel, " elements do not fit shape ", shape);
    result[unknown] = numel / known;
  }
  check(result.numel() == numel, op, ": ", numel, " elements do not fit shape ", shape);
  return result;
}

namespace {

// Computes strides that make `shape` a view of x, or returns false. From the last dimension to the
// first, the dimensions of x are gathered into chunks that are contiguous; whole dimensions of
// `shape` must fill each chunk.
bool view_strides(const Tensor& x, const Shape& shape, Shape& strides) {
  strides = shape;
  int target = shape.rank() - 1;
  std::int64_t chunk = 1;   // elements of x in the current chunk
  std::int64_t filled = 1;  // elements of the chunk covered by `shape` so far
  std::int64_t base = x.rank() > 0 ? x.strides()[x.rank() - 1] : 1;
  for (int dim = x.rank() - 1; dim >= 0; --dim) {
    chunk *= x.shape()[dim];
    const bool goes_on =
        dim > 0 && (x.shape()[dim - 1] == 1 || x.strides()[dim - 1] == chunk * base);
    if (goes_on) continue;
    while (target >= 0 && (filled < chunk || shape[target] == 1)) {
      strides[target] = filled * base;
      filled *= shape[target--];
    }
    if (filled != chunk) return false;
    if (dim > 0) base = x.strides()[dim - 1];
    chunk = filled = 1;
  }
  return target < 0;
}

}  // namespace

Tensor reshape(const Tensor& x, const Shape& shape) {
  const Shape target = infer_shape(shape, x.numel(), "reshape");
  if (x.numel() == 0 || x.is_contiguous())
    return x.as_strided(target, contiguous_strides(target), x.offset());
  Shape strides;
  if (view_strides(x, target, strides)) return x.as_strided(target, strides, x.offset());
  const Tensor packed = contiguous(x);
  return packed.as_strided(target, contiguous_strides(target), 0);
}

Tensor channels_last(const Tensor& x) {
  check(x.rank() == 4, "channels_last: needs a tensor of rank 4, got ", x.shape());
  if (x.is_channels_last()) return x;
  const std::int64_t c = x.size(1), h = x.size(2), w = x.size(3);
  Tensor result = Tensor::empty_strided(x.shape(), {c * h * w, 1, w * c, c}, x.dtype(), x.device());
  copy(x, result);
  return result;
}

Tensor contiguous(const Tensor& x) {
  if (x.is_contiguous()) return x;
  Tensor result = Tensor::empty(x.shape(), x.dtype(), x.device());
  copy(x, result);
  return result;
}

Tensor clone(const Tensor& x) {
  Tensor result = Tensor::empty_like(x);
  copy(x, result);
  return result;
}

Tensor cast(const Tensor& x, DType dtype) {
  if (x.dtype() == dtype) return x;
  const Shape strides = x.is_dense() ? x.strides() : contiguous_strides(x.shape());
  Tensor result = Tensor::empty_strided(x.shape(), strides, dtype, x.device());
  copy(x, result);
  return result;
}

Tensor to_device(const Tensor& x, Device device) {
  if (x.device() == device) return x;
  const Tensor packed = contiguous(x);
  Tensor result = Tensor::empty(x.shape(), x.dtype(), device);
  copy(packed, result);
  return result;
}

}  // namespace mini::ops
