#include "ops/cpu/map.h"
#include "ops/functors_coupling.h"
#include "ops/kernels.h"

namespace mini::cpu::MINI_ISA {

void coupling(const Tensor& x, const Tensor& h, const Tensor& g, const Tensor& y) {
  visit_real(y.dtype(), "coupling", [&](auto type) {
    map<typename decltype(type)::type>(functors::Coupling{}, y, x, h, g);
  });
}

void coupling_inverse(const Tensor& y, const Tensor& h, const Tensor& g, const Tensor& x) {
  visit_real(x.dtype(), "coupling_inverse", [&](auto type) {
    map<typename decltype(type)::type>(functors::CouplingInverse{}, x, y, h, g);
  });
}

void coupling_gradient(const Tensor& dy, const Tensor& x, const Tensor& h, const Tensor& dx,
                       const Tensor& dh) {
  visit_real(dx.dtype(), "coupling", [&](auto type) {
    map<typename decltype(type)::type>(functors::CouplingGradient{}, dx, dh, dy, x, h);
  });
}

void coupling_inverse_gradient(const Tensor& dx, const Tensor& x, const Tensor& h, const Tensor& dy,
                               const Tensor& dh) {
  visit_real(dy.dtype(), "coupling_inverse", [&](auto type) {
    map<typename decltype(type)::type>(functors::CouplingInverseGradient{}, dy, dh, dx, x, h);
  });
}

}  // namespace mini::cpu::MINI_ISA
