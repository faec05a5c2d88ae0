// Pooling with gradients. Max pooling selects elements, so its gradient scatters values to the
// selected places, and the gradient of scattering gathers them from there. Average pooling is
// linear; it and its adjoint are each other's gradients.
#include "ops/pool.h"

#include "autograd/functions.h"
#include "autograd/node.h"

namespace mini {

Tensor gather_planes(const Tensor& x, const Tensor& indices) {
  return record("gather_planes", {x}, ops::gather_planes(x, indices),
                [indices, shape = x.shape()](const Backward&, const Tensor& dy) {
                  return Tensors{scatter_planes(dy, indices, shape)};
                });
}

Tensor scatter_planes(const Tensor& x, const Tensor& indices, const Shape& shape) {
  return record(
      "scatter_planes", {x}, ops::scatter_planes(x, indices, shape),
      [indices](const Backward&, const Tensor& dy) { return Tensors{gather_planes(dy, indices)}; });
}

namespace {

Tensor avg_pool2d_gradient(const Tensor& dy, const Shape& shape, const Pool2dParams& params) {
  return record(
      "avg_pool2d_gradient", {dy}, ops::avg_pool2d_gradient(dy, shape, params),
      [params](const Backward&, const Tensor& ddx) { return Tensors{avg_pool2d(ddx, params)}; });
}

}  // namespace

Tensor max_pool2d(const Tensor& x, const Pool2dParams& params) {
  ops::MaxPool result = ops::max_pool2d(x, params);
  return record("max_pool2d", {x}, std::move(result.y),
                [indices = result.indices, shape = x.shape()](const Backward&, const Tensor& dy) {
                  return Tensors{scatter_planes(dy, indices, shape)};
                });
}

Tensor avg_pool2d(const Tensor& x, const Pool2dParams& params) {
  return record("avg_pool2d", {x}, ops::avg_pool2d(x, params),
                [params, shape = x.shape()](const Backward&, const Tensor& dy) {
                  return Tensors{avg_pool2d_gradient(dy, shape, params)};
                });
}

}  // namespace mini
