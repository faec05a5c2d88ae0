#include "ops/matmul.h"

#include "ops/kernels.h"
#include "tensor/view.h"

namespace mini::ops {
namespace {

Shape leading(const Shape& shape) { return Shape(std::span(shape.begin(), shape.end() - 2)); }

Shape with_matrix(Shape batch, std::int64_t rows, std::int64_t columns) {
  batch.push_back(rows);
  batch.push_back(columns);
  return batch;
}

// Views x as [B,M,K]; copies only if its batch dimensions cannot be merged.
Tensor as_batch(const Tensor& x, const Shape& batch) {
  const Shape full = with_matrix(batch, x.size(-2), x.size(-1));
  // A single matrix is expanded to the batch with stride 0.
  if (leading(x.shape()).numel() == 1) {
    const Shape& strides = x.strides();
    return x.as_strided({batch.numel(), x.size(-2), x.size(-1)},
                        {0, strides[x.rank() - 2], strides[x.rank() - 1]}, x.offset());
  }
  return reshape(expand(x, full), {batch.numel(), x.size(-2), x.size(-1)});
}

}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b) {
  check(a.rank() >= 2 && b.rank() >= 2, "matmul: operands need at least two dimensions, got ",
        a.shape(), " and ", b.shape());
  check(a.size(-1) == b.size(-2), "matmul: a has ", a.size(-1), " columns, but b has ", b.size(-2),
        " rows (a=", a.shape(), ", b=", b.shape(), ")");
  check(a.dtype() == b.dtype(), "matmul: dtypes ", a.dtype(), " and ", b.dtype(),
        " differ; cast one");
  check(a.device() == b.device(), "matmul: operands are on ", a.device(), " and ", b.device());
  const Shape batch = broadcast_shapes(leading(a.shape()), leading(b.shape()), "matmul");
  Tensor y = Tensor::empty(with_matrix(batch, a.size(-2), b.size(-1)), a.dtype(), a.device());
  if (y.numel() == 0) return y;
  MINI_DISPATCH(a.device(), matmul, as_batch(a, batch), as_batch(b, batch),
                reshape(y, {batch.numel(), a.size(-2), b.size(-1)}));
  return y;
}

}  // namespace mini::ops
