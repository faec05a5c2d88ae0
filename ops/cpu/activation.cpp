#include "ops/cpu/map.h"
#include "ops/functors_activation.h"
#include "ops/kernels.h"

namespace mini::cpu::MINI_ISA {

void fused_leaky_relu(const Tensor& x, const Tensor& bias, const Tensor& y, double slope,
                      double scale) {
  visit_real(y.dtype(), "fused_leaky_relu", [&](auto type) {
    map<typename decltype(type)::type>(functors::FusedLeakyRelu{slope, scale}, y, x, bias);
  });
}

void fused_leaky_relu_gradient(const Tensor& dy, const Tensor& y, const Tensor& dx, double slope,
                               double scale) {
  visit_real(dx.dtype(), "fused_leaky_relu", [&](auto type) {
    map<typename decltype(type)::type>(functors::FusedLeakyReluGradient{slope, scale}, dx, dy, y);
  });
}

}  // namespace mini::cpu::MINI_ISA
