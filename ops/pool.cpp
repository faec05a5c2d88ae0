#include "ops/pool.h"

#include "ops/kernels.h"
#include "tensor/view.h"

namespace mini::ops {

MaxPool max_pool2d(const Tensor& x, const Pool2dParams& params) {
  const Shape shape = params.output_shape(x.shape(), "max_pool2d");
  MaxPool result{Tensor::empty(shape, x.dtype(), x.device()),
                 Tensor::empty(shape, DType::int64, x.device())};
  MINI_DISPATCH(x.device(), max_pool2d, contiguous(x), result.y, result.indices, params);
  return result;
}

Tensor avg_pool2d(const Tensor& x, const Pool2dParams& params) {
  Tensor y = Tensor::empty(params.output_shape(x.shape(), "avg_pool2d"), x.dtype(), x.device());
  MINI_DISPATCH(x.device(), avg_pool2d, contiguous(x), y, params);
  return y;
}

Tensor avg_pool2d_gradient(const Tensor& dy, const Shape& x_shape, const Pool2dParams& params) {
  const Shape expected = params.output_shape(x_shape, "avg_pool2d");
  check(dy.shape() == expected, "avg_pool2d: gradient has shape ", dy.shape(), ", expected ",
        expected, " (x=", x_shape, ")");
  Tensor dx = Tensor::zeros(x_shape, dy.dtype(), dy.device());
  MINI_DISPATCH(dy.device(), avg_pool2d_gradient, contiguous(dy), dx, params);
  return dx;
}

namespace {

// `planes` and `picked` must be [N,C,..] with equal N and C; the indices have the shape `picked`.
void check_planes(const Shape& planes, const Shape& picked, const Tensor& indices, const char* op) {
  check(indices.dtype() == DType::int64, op, ": indices are int64, got ", indices.dtype());
  check(planes.rank() == 4 && picked.rank() == 4 && planes[0] == picked[0] &&
            planes[1] == picked[1] && indices.shape() == picked,
        op, ": planes ", planes, ", values ", picked, " and indices ", indices.shape(),
        " do not fit; values and indices are [N,C,h,w] of the planes' N and C");
}

void check_devices(const Tensor& x, const Tensor& indices, const char* op) {
  check(x.device() == indices.device(), op, ": values and indices are on ", x.device(), " and ",
        indices.device());
}

}  // namespace

Tensor gather_planes(const Tensor& x, const Tensor& indices) {
  check_planes(x.shape(), indices.shape(), indices, "gather_planes");
  check_devices(x, indices, "gather_planes");
  Tensor y = Tensor::empty(indices.shape(), x.dtype(), x.device());
  MINI_DISPATCH(x.device(), gather_planes, contiguous(x), contiguous(indices), y);
  return y;
}

Tensor scatter_planes(const Tensor& x, const Tensor& indices, const Shape& y_shape) {
  check_planes(y_shape, x.shape(), indices, "scatter_planes");
  check_devices(x, indices, "scatter_planes");
  Tensor y = Tensor::zeros(y_shape, x.dtype(), x.device());
  MINI_DISPATCH(x.device(), scatter_planes, contiguous(x), contiguous(indices), y);
  return y;
}

}  // namespace mini::ops
