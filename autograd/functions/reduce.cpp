// Reductions with gradients. The gradient of a sum repeats dy for each summand: sum and expand are
// adjoint, and so are sum_to and broadcasting. Read next: ops/reduce.h.
#include "ops/reduce.h"

#include <array>
#include <numeric>
#include <vector>

#include "autograd/functions.h"
#include "autograd/node.h"

namespace mini {
namespace {

std::vector<int> all_dims(const Tensor& x) {
  std::vector<int> dims(static_cast<std::size_t>(x.rank()));
  std::iota(dims.begin(), dims.end(), 0);
  return dims;
}

}  // namespace

Tensor sum(const Tensor& x, std::span<const int> dims, bool keep_dims) {
  const Shape kept = ops::reduced_shape(x.shape(), dims, true, "sum");
  return record("sum", {x}, ops::sum(x, dims, keep_dims),
                [kept, shape = x.shape()](const Backward&, const Tensor& dy) -> Tensors {
                  return {expand(reshape(dy, kept), shape)};
                });
}

Tensor sum(const Tensor& x) { return sum(x, all_dims(x)); }

Tensor mean(const Tensor& x, std::span<const int> dims, bool keep_dims) {
  const Shape shape = ops::reduced_shape(x.shape(), dims, keep_dims, "mean");
  check(x.numel() > 0, "mean: no elements to average (x=", x.shape(), ")");
  const auto count = static_cast<double>(x.numel()) / static_cast<double>(shape.numel());
  return affine(sum(x, dims, keep_dims), 1 / count, 0);
}

Tensor mean(const Tensor& x) { return mean(x, all_dims(x)); }

Tensor amax(const Tensor& x, int dim, bool keep_dims) {
  dim = normalize_dim(dim, x.rank(), "amax");
  const Tensor y = ops::amax(x, dim, keep_dims);
  return record(
      "amax", {x}, y,
      [x, dim, keep_dims](const Backward& context, const Tensor& dy) -> Tensors {
        const auto kept = [&](const Tensor& t) { return keep_dims ? t : unsqueeze(t, dim); };
        const Tensor is_maximum = equal(x.detach(), kept(context.output().detach()));
        const Tensor ties = sum(is_maximum, {&dim, 1}, true);
        return {mul(is_maximum, div(kept(dy), ties))};
      },
      Save::output);
}

Tensor argmax(const Tensor& x, int dim) { return ops::argmax(x, dim); }

Tensor softmax(const Tensor& x, int dim) {
  dim = normalize_dim(dim, x.rank(), "softmax");
  return record(
      "softmax", {x}, ops::softmax(x, dim),
      [dim](const Backward& context, const Tensor& dy) -> Tensors {
        const Tensor y = context.output();
        const Tensor weighted = mul(dy, y);
        return {sub(weighted, mul(y, sum(weighted, {&dim, 1}, true)))};
      },
      Save::output);
}

Tensor log_softmax(const Tensor& x, int dim) {
  dim = normalize_dim(dim, x.rank(), "log_softmax");
  return record(
      "log_softmax", {x}, ops::softmax(x, dim, true),
      [dim](const Backward& context, const Tensor& dy) -> Tensors {
        return {sub(dy, mul(exp(context.output()), sum(dy, {&dim, 1}, true)))};
      },
      Save::output);
}

Tensor sum_to(const Tensor& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  return record("sum_to", {x}, ops::sum_to(x, shape),
                [shape = x.shape()](const Backward&, const Tensor& dy) -> Tensors {
                  return {expand(dy, shape)};
                });
}

Tensor one_hot(const Tensor& labels, std::int64_t classes, DType dtype) {
  return ops::one_hot(labels, classes, dtype);
}

}  // namespace mini
