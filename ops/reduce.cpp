#include "ops/reduce.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "ops/kernels.h"
#include "tensor/view.h"

namespace mini::ops {
namespace {

const char* name_of(Reduction op) { return op == Reduction::sum ? "sum" : "amax"; }

using Flags = std::array<bool, max_rank>;

Flags flags_of(std::span<const int> dims, int rank, const char* op) {
  Flags flags{};
  for (const int dim : dims) {
    bool& flag = flags[static_cast<std::size_t>(normalize_dim(dim, rank, op))];
    check(!flag, op, ": dimension ", dim, " is named twice");
    flag = true;
  }
  return flags;
}

// Views a dense tensor in its memory order: dimensions by stride, largest first.
Tensor in_memory_order(const Tensor& x) {
  const DimOrder order = memory_order(x.shape(), x.strides());
  Shape shape, strides;
  for (int i = order.count - 1; i >= 0; --i) {
    shape.push_back(x.shape()[order.dims[static_cast<std::size_t>(i)]]);
    strides.push_back(x.strides()[order.dims[static_cast<std::size_t>(i)]]);
  }
  return x.as_strided(shape, strides, x.offset());
}

// Views a dense tensor as [outer,n,inner], where n is the extent of dimension `dim`.
Tensor around(const Tensor& x, int dim) {
  const std::int64_t n = x.shape()[dim];
  const std::int64_t inner = n > 1 ? x.strides()[dim] : 1;
  const Shape shape{x.numel() / (n * inner), n, inner};
  return x.as_strided(shape, contiguous_strides(shape), x.offset());
}

Tensor dense(const Tensor& x) { return x.is_dense() ? x : contiguous(x); }

// Reduces the dimensions [begin, end) of a contiguous tensor.
Tensor reduce_range(Reduction op, const Tensor& x, int begin, int end) {
  std::array<std::int64_t, 3> extents{1, 1, 1};
  Shape result;
  for (int d = 0; d < x.rank(); ++d) {
    extents[d < begin ? 0 : d < end ? 1 : 2] *= x.shape()[d];
    if (d < begin || d >= end) result.push_back(x.shape()[d]);
  }
  Tensor y = Tensor::empty(result, x.dtype(), x.device());
  const Shape out{extents[0], extents[2]};
  MINI_DISPATCH(x.device(), reduce, op, reshape(x, Shape(std::span<const std::int64_t>(extents))),
                reshape(y, out));
  return y;
}

}  // namespace

Shape reduced_shape(const Shape& shape, std::span<const int> dims, bool keep_dims, const char* op) {
  const Flags reduced = flags_of(dims, shape.rank(), op);
  Shape result;
  for (int d = 0; d < shape.rank(); ++d) {
    if (!reduced[static_cast<std::size_t>(d)])
      result.push_back(shape[d]);
    else if (keep_dims)
      result.push_back(1);
  }
  return result;
}

Tensor reduce(Reduction op, const Tensor& x, std::span<const int> dims, bool keep_dims) {
  const char* name = name_of(op);
  const Flags reduced = flags_of(dims, x.rank(), name);
  const Shape shape = reduced_shape(x.shape(), dims, keep_dims, name);
  if (x.numel() == 0) {
    const bool of_nothing = op == Reduction::max && shape.numel() > 0;
    check(!of_nothing, name, ": no elements to take the maximum of (x=", x.shape(), ")");
    return Tensor::zeros(shape, x.dtype(), x.device());
  }

  // In memory order, each run of adjacent reduced dimensions takes one kernel, innermost first. A
  // sum over N,H,W is one run of a channels-last tensor and two runs of a contiguous one.
  const Tensor source = dense(x);
  const DimOrder order = memory_order(source.shape(), source.strides());
  Tensor y = in_memory_order(source);
  const auto is_reduced = [&](int place) {  // for dimension `place` of y
    const auto inwards = static_cast<std::size_t>(order.count - 1 - place);
    return reduced[static_cast<std::size_t>(order.dims[inwards])];
  };
  bool reduced_any = false;
  for (int end = order.count; end > 0;) {
    int begin = end - 1;
    if (is_reduced(begin)) {
      while (begin > 0 && is_reduced(begin - 1)) --begin;
      y = reduce_range(op, y, begin, end);
      reduced_any = true;
    }
    end = begin;
  }
  if (!reduced_any) y = clone(y);  // only dimensions of one element; the result must not be a view

  // The remaining dimensions are still in memory order.
  Shape strides;
  std::int64_t step = 1;
  std::array<std::int64_t, max_rank> step_of{};
  for (const int dim : order) {
    if (reduced[static_cast<std::size_t>(dim)]) continue;
    step_of[static_cast<std::size_t>(dim)] = step;
    step *= source.shape()[dim];
  }
  for (int d = 0; d < x.rank(); ++d)
    if (!reduced[static_cast<std::size_t>(d)] || keep_dims) {
      const std::int64_t known = step_of[static_cast<std::size_t>(d)];
      strides.push_back(known > 0 ? known : 1);
    }
  return y.as_strided(shape, strides, y.offset());
}

Tensor sum(const Tensor& x, std::span<const int> dims, bool keep_dims) {
  return reduce(Reduction::sum, x, dims, keep_dims);
}

Tensor sum(const Tensor& x) {
  std::array<int, max_rank> all{};
  std::iota(all.begin(), all.end(), 0);
  return sum(x, std::span<const int>(all.data(), static_cast<std::size_t>(x.rank())));
}

Tensor amax(const Tensor& x, int dim, bool keep_dims) {
  return reduce(Reduction::max, x, {&dim, 1}, keep_dims);
}

Tensor argmax(const Tensor& x, int dim) {
  dim = normalize_dim(dim, x.rank(), "argmax");
  const Shape shape = reduced_shape(x.shape(), {&dim, 1}, false, "argmax");
  Tensor y = Tensor::empty(shape, DType::int64, x.device());
  if (shape.numel() == 0) return y;
  check(x.numel() > 0, "argmax: no elements to take the maximum of (x=", x.shape(), ")");
  const Tensor source = around(contiguous(x), dim);
  MINI_DISPATCH(x.device(), argmax, source, reshape(y, {source.shape()[0], source.shape()[2]}));
  return y;
}

Tensor softmax(const Tensor& x, int dim, bool logarithm) {
  dim = normalize_dim(dim, x.rank(), logarithm ? "log_softmax" : "softmax");
  const Tensor source = dense(x);
  Tensor y = Tensor::empty_like(source);
  if (x.numel() > 0)
    MINI_DISPATCH(x.device(), softmax, around(source, dim), around(y, dim), logarithm);
  return y;
}

Tensor sum_to(const Tensor& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  const int added = x.rank() - shape.rank();
  check(added >= 0 && broadcast_shapes(shape, x.shape(), "sum_to") == x.shape(), "sum_to: ", shape,
        " does not broadcast to ", x.shape());
  std::array<int, max_rank> dims{};
  std::size_t count = 0;
  for (int d = 0; d < x.rank(); ++d)
    if (d < added || (shape[d - added] == 1 && x.shape()[d] != 1)) dims[count++] = d;
  return reshape(sum(x, std::span<const int>(dims.data(), count), true), shape);
}

Tensor one_hot(const Tensor& labels, std::int64_t classes, DType dtype) {
  check(labels.dtype() == DType::int64, "one_hot: labels are int64, got ", labels.dtype());
  check(classes > 0, "one_hot: needs at least one class, got ", classes);
  Shape shape = labels.shape();
  shape.push_back(classes);
  Tensor y = Tensor::zeros(shape, dtype, labels.device());
  MINI_DISPATCH(labels.device(), one_hot, contiguous(labels), y);
  return y;
}

}  // namespace mini::ops
