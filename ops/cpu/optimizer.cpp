// One pass over each parameter: functors::AdamUpdate does the arithmetic.
#include <vector>

#include "ops/functors.h"
#include "ops/kernels.h"
#include "tensor/strided.h"
#include "tensor/view.h"

namespace mini::cpu::MINI_ISA {

namespace {

void update(const AdamSlot& slot, const AdamParams& params, const AdamStep& step) {
  // By name: a lambda may not capture structured bindings in C++20 as clang 14 reads it.
  const Tensor &parameter = slot.parameter, &gradient = slot.gradient, &mean = slot.mean,
               &square = slot.square;
  const StridedLoop<4> loop(parameter.shape(), {parameter.strides(), gradient.strides(),
                                                mean.strides(), square.strides()});
  visit_real(parameter.dtype(), "adam", [&](auto type) {
    using T = typename decltype(type)::type;
    const functors::AdamUpdate<T> update_element(params, step);
    T* const weights = parameter.data<T>();
    const T* const gradients = gradient.data<T>();
    T* const means = mean.data<T>();
    T* const squares = square.data<T>();
    loop.run([&](const auto& offset, const auto& stride, std::int64_t length) {
      T* w = weights + offset[0];
      const T* g = gradients + offset[1];
      T* m = means + offset[2];
      T* v = squares + offset[3];
      if (stride[0] == 1 && stride[1] == 1 && stride[2] == 1 && stride[3] == 1) {
        for (std::int64_t k = 0; k < length; ++k) update_element(w[k], g[k], m[k], v[k]);
      } else {
        for (std::int64_t k = 0; k < length; ++k)
          update_element(w[k * stride[0]], g[k * stride[1]], m[k * stride[2]], v[k * stride[3]]);
      }
    });
  });
}

double squares_of(const Tensor& x) {
  constexpr std::int64_t block = 4096;
  const std::int64_t count = x.numel();
  std::vector<double> partial(static_cast<std::size_t>((count + block - 1) / block));
  visit_real(x.dtype(), "sum_of_squares", [&](auto type) {
    using T = typename decltype(type)::type;
    const T* const values = x.data<T>();
    parallel_for(static_cast<std::int64_t>(partial.size()), 4,
                 [&](std::int64_t from, std::int64_t to) {
                   for (std::int64_t b = from; b < to; ++b) {
                     const std::int64_t end = std::min(count, (b + 1) * block);
                     double sum = 0;
                     for (std::int64_t i = b * block; i < end; ++i) {
                       const double value = static_cast<double>(values[i]);
                       sum += value * value;
                     }
                     partial[static_cast<std::size_t>(b)] = sum;
                   }
                 });
  });
  double total = 0;
  for (const double sum : partial) total += sum;
  return total;
}

}  // namespace

void adam(std::span<const AdamSlot> slots, const AdamParams& params, const Tensor& steps) {
  const double* const values = steps.data<double>();
  for (std::size_t k = 0; k < slots.size(); ++k) {
    const double* const row = values + 4 * k;
    update(slots[k], params, {row[0], row[1], row[2], row[3]});
  }
}

void sum_of_squares(std::span<const Tensor> xs, const Tensor& y) {
  double total = 0;
  for (const Tensor& x : xs) total += squares_of(ops::contiguous(x));
  *y.data<double>() = total;
}

}  // namespace mini::cpu::MINI_ISA
