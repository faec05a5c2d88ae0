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

}  // namespace

Tensor resize_bicubic(const Tensor& x, double scale) {
  check(x.rank() == 4, "resize_bicubic: input must be [N,C,H,W], got ", x.shape());
  Tensor y = x;
  for (const int dim : {2, 3}) {
    const Map map = std::make_shared<LinearMap>(ops::bicubic_map(x.size(dim), scale));
    const bool differentiable = grad_enabled() && x.requires_grad();
    const Map transposed =
        differentiable ? std::make_shared<LinearMap>(map->transposed()) : nullptr;
    y = linear_map(y, map, transposed, dim);
  }
  return y;
}

}  // namespace mini
