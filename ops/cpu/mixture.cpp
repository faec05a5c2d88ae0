#include <algorithm>
#include <cmath>
#include <vector>

#include "ops/functors_mixture.h"
#include "ops/kernels.h"
#include "tensor/parallel.h"

namespace mini::cpu::MINI_ISA {
namespace {

constexpr std::int64_t block = 4096;  // values whose gradient is added up together

template <class T>
std::vector<functors::MixtureComponent<T>> components_of(const Tensor& parameters) {
  const auto count = static_cast<int>(parameters.shape()[1]);
  const functors::MixtureComponents<T> components(parameters.data<T>(), count);
  std::vector<functors::MixtureComponent<T>> result;
  result.reserve(static_cast<std::size_t>(count));
  for (int k = 0; k < count; ++k) result.push_back(components[k]);
  return result;
}

}  // namespace

void sample_mixture(const Tensor& parameters, const Tensor& exponential, const Tensor& normal,
                    const Tensor& z) {
  visit_real(z.dtype(), "sample_mixture", [&](auto type) {
    using T = typename decltype(type)::type;
    const auto components = components_of<T>(parameters);
    const auto count = static_cast<int>(components.size());
    const T* const e = exponential.data<T>();
    const T* const n = normal.data<T>();
    T* const out = z.data<T>();
    parallel_for(z.numel(), block, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i)
        out[i] = functors::mixture_sample(components.data(), count, e + i * count, n + i * count);
    });
  });
}

void sample_mixture_gradient(const Tensor& dz, const Tensor& parameters, const Tensor& exponential,
                             const Tensor& normal, const Tensor& gradient) {
  visit_real(dz.dtype(), "sample_mixture", [&](auto type) {
    using T = typename decltype(type)::type;
    const auto components = components_of<T>(parameters);
    const auto count = static_cast<int>(components.size());
    const std::size_t entries = 3 * components.size();
    const T* const e = exponential.data<T>();
    const T* const n = normal.data<T>();
    const T* const dy = dz.data<T>();
    const std::int64_t blocks = (dz.numel() + block - 1) / block;
    std::vector<double> partial(static_cast<std::size_t>(blocks) * entries);
    parallel_for(blocks, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t b = begin; b < end; ++b) {
        double* const sums = partial.data() + static_cast<std::size_t>(b) * entries;
        for (std::int64_t i = b * block; i < std::min((b + 1) * block, dz.numel()); ++i)
          functors::mixture_gradient(components.data(), count, e + i * count, n + i * count, dy[i],
                                     [&](int entry, double value) { sums[entry] += value; });
      }
    });
    std::vector<double> total(entries);
    for (std::size_t i = 0; i < partial.size(); ++i) total[i % entries] += partial[i];
    const functors::MixtureComponents<T> parts(parameters.data<T>(), count);
    for (int k = 0; k < count; ++k)
      total[2 * static_cast<std::size_t>(count) + static_cast<std::size_t>(k)] *=
          parts.deviation_slope(k);
    std::transform(total.begin(), total.end(), gradient.data<T>(),
                   [](double value) { return static_cast<T>(value); });
  });
}

}  // namespace mini::cpu::MINI_ISA
