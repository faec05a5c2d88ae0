// The inverse of a small matrix, on one thread.
#include <vector>

#include "ops/functors_inverse.h"
#include "ops/kernels.h"

namespace mini::cpu::MINI_ISA {

void inverse(const Tensor& x, const Tensor& y, const Tensor& log_abs_det) {
  visit_real(x.dtype(), "inverse", [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t size = x.shape()[0];
    std::vector<double> m(x.data<T>(), x.data<T>() + x.numel()), result(m.size());
    for (std::int64_t k = 0; k < size; ++k) result[static_cast<std::size_t>(k * (size + 1))] = 1;
    *log_abs_det.data<T>() = static_cast<T>(functors::invert(m.data(), result.data(), size));
    for (std::size_t i = 0; i < result.size(); ++i) y.data<T>()[i] = static_cast<T>(result[i]);
  });
}

}  // namespace mini::cpu::MINI_ISA
