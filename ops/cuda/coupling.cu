#include "ops/cuda/launch.cuh"
#include "ops/functors_coupling.h"
#include "ops/kernels.h"

namespace mini::cuda {

void coupling(const Tensor& x, const Tensor& h, const Tensor& g, const Tensor& y) {
  visit_floating(y.dtype(), "coupling", [&](auto type) {
    using T = typename decltype(type)::type;
    map<1, T, T, T, T>(functors::Coupling{}, y, x, h, g);
  });
}

void coupling_inverse(const Tensor& y, const Tensor& h, const Tensor& g, const Tensor& x) {
  visit_floating(x.dtype(), "coupling_inverse", [&](auto type) {
    using T = typename decltype(type)::type;
    map<1, T, T, T, T>(functors::CouplingInverse{}, x, y, h, g);
  });
}

void coupling_gradient(const Tensor& dy, const Tensor& x, const Tensor& h, const Tensor& dx,
                       const Tensor& dh) {
  visit_floating(dx.dtype(), "coupling", [&](auto type) {
    using T = typename decltype(type)::type;
    map<2, T, T, T, T, T>(functors::CouplingGradient{}, dx, dh, dy, x, h);
  });
}

void coupling_inverse_gradient(const Tensor& dx, const Tensor& x, const Tensor& h, const Tensor& dy,
                               const Tensor& dh) {
  visit_floating(dy.dtype(), "coupling_inverse", [&](auto type) {
    using T = typename decltype(type)::type;
    map<2, T, T, T, T, T>(functors::CouplingInverseGradient{}, dy, dh, dx, x, h);
  });
}

}  // namespace mini::cuda
