#include "ops/coupling.h"

#include "ops/kernels.h"

namespace mini::ops {
namespace {

void check_operands(const char* op, const Tensor& x, const Tensor& h, const Tensor& g) {
  check(x.shape() == h.shape() && x.shape() == g.shape(), op, ": shapes ", x.shape(), ", ",
        h.shape(), " and ", g.shape(), " differ");
  check(x.dtype() == h.dtype() && x.dtype() == g.dtype(), op, ": dtypes ", x.dtype(), ", ",
        h.dtype(), " and ", g.dtype(), " differ; cast them");
  check(x.device() == h.device() && x.device() == g.device(), op, ": operands are on ", x.device(),
        ", ", h.device(), " and ", g.device());
}

}  // namespace

Tensor coupling(const Tensor& x, const Tensor& h, const Tensor& g) {
  check_operands("coupling", x, h, g);
  Tensor y = Tensor::empty_like(h);
  MINI_DISPATCH(x.device(), coupling, x, h, g, y);
  return y;
}

Tensor coupling_inverse(const Tensor& y, const Tensor& h, const Tensor& g) {
  check_operands("coupling_inverse", y, h, g);
  Tensor x = Tensor::empty_like(h);
  MINI_DISPATCH(y.device(), coupling_inverse, y, h, g, x);
  return x;
}

CouplingGradients coupling_gradient(const Tensor& dy, const Tensor& x, const Tensor& h) {
  check_operands("coupling", dy, x, h);
  CouplingGradients result{Tensor::empty_like(h), Tensor::empty_like(h)};
  MINI_DISPATCH(dy.device(), coupling_gradient, dy, x, h, result.dx, result.dh);
  return result;
}

CouplingGradients coupling_inverse_gradient(const Tensor& dx, const Tensor& x, const Tensor& h) {
  check_operands("coupling_inverse", dx, x, h);
  CouplingGradients result{Tensor::empty_like(h), Tensor::empty_like(h)};
  MINI_DISPATCH(dx.device(), coupling_inverse_gradient, dx, x, h, result.dx, result.dh);
  return result;
}

}  // namespace mini::ops
