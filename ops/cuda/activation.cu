#include "ops/cuda/launch.cuh"
#include "ops/functors_activation.h"
#include "ops/kernels.h"

namespace mini::cuda {

void fused_leaky_relu(const Tensor& x, const Tensor& bias, const Tensor& y, double slope,
                      double scale) {
  visit_floating(y.dtype(), "fused_leaky_relu", [&](auto type) {
    using T = typename decltype(type)::type;
    map<1, T, T, T>(functors::FusedLeakyRelu{slope, scale}, y, x, bias);
  });
}

void fused_leaky_relu_gradient(const Tensor& dy, const Tensor& y, const Tensor& dx, double slope,
                               double scale) {
  visit_floating(dx.dtype(), "fused_leaky_relu", [&](auto type) {
    using T = typename decltype(type)::type;
    map<1, T, T, T>(functors::FusedLeakyReluGradient{slope, scale}, dx, dy, y);
  });
}

}  // namespace mini::cuda
