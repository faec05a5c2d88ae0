// Image geometry with gradients. All these functions are linear, so each gradient is the adjoint:
// that of padding adds the margins to their sources, that of the Haar transform is its inverse up
// to a factor of 4, that of a sparse map is the transposed map.
#include "ops/image.h"

#include "autograd/functions.h"
#include "autograd/node.h"

namespace mini {

Tensor pad2d(const Tensor& x, const Padding2d& padding, PadMode mode) {
  return record("pad2d", {x}, ops::pad2d(x, padding, mode),
                [padding, mode](const Backward&, const Tensor& dy) {
                  return Tensors{pad2d_adjoint(dy, padding, mode)};
                });
}

Tensor pad2d_adjoint(const Tensor& x, const Padding2d& padding, PadMode mode) {
  return record("pad2d_adjoint", {x}, ops::pad2d_adjoint(x, padding, mode),
                [padding, mode](const Backward&, const Tensor& dy) {
                  return Tensors{pad2d(dy, padding, mode)};
                });
}

Tensor haar(const Tensor& x) {
  return record("haar", {x}, ops::haar(x),
                [](const Backward&, const Tensor& dy) { return Tensors{haar_inverse(dy) * 0.25}; });
}

Tensor haar_inverse(const Tensor& x) {
  return record("haar_inverse", {x}, ops::haar_inverse(x),
                [](const Backward&, const Tensor& dy) { return Tensors{haar(dy) * 4.0}; });
}

namespace {

// The gradient of a map is the transposed map, and vice versa.
using Map = std::shared_ptr<const LinearMap>;

Tensor linear_map(const Tensor& x, const Map& map, const Map& transposed, int dim) {
  return record("linear_map", {x}, ops::linear_map(x, *map, dim),
                [map, transposed, dim](const Backward&, const Tensor& dy) {
                  return Tensors{linear_map(dy, transposed, map, dim)};
                });
}

// Applies one map along dimension `dim`.
Tensor linear_map(const Tensor& x, LinearMap once, int dim) {
  const bool differentiable = grad_enabled() && x.requires_grad();
  const Map transposed = differentiable ? std::make_shared<LinearMap>(once.transposed()) : nullptr;
  return linear_map(x, std::make_shared<LinearMap>(std::move(once)), transposed, dim);
}

}  // namespace

Tensor resize_bicubic(const Tensor& x, double scale) {
  check(x.rank() == 4, "resize_bicubic: input must be [N,C,H,W], got ", x.shape());
  const Tensor rows = linear_map(x, ops::bicubic_map(x.size(2), scale), 2);
  return linear_map(rows, ops::bicubic_map(x.size(3), scale), 3);
}

Tensor resize_bilinear(const Tensor& x, std::int64_t height, std::int64_t width,
                       bool align_corners) {
  check(x.rank() == 4, "resize_bilinear: input must be [N,C,H,W], got ", x.shape());
  const Tensor rows = linear_map(x, ops::bilinear_map(x.size(2), height, align_corners), 2);
  return linear_map(rows, ops::bilinear_map(x.size(3), width, align_corners), 3);
}

Tensor adaptive_avg_pool2d(const Tensor& x, std::int64_t height, std::int64_t width) {
  check(x.rank() == 4, "adaptive_avg_pool2d: input must be [N,C,H,W], got ", x.shape());
  const Tensor rows = linear_map(x, ops::average_map(x.size(2), height), 2);
  return linear_map(rows, ops::average_map(x.size(3), width), 3);
}

}  // namespace mini
