#include <algorithm>
#include <cmath>
#include <vector>

#include "ops/functors_mixture.h"
#include "ops/kernels.h"
#include "tensor/parallel.h"

namespace mini::cpu {
namespace {

constexpr std::int64_t block = 4096;  // values whose gradient is added up together

template <class T>
std::vector<functors::MixtureComponent<T>> components_of(const Tensor& parameters) {
  const auto count = static_cast<std::size_t>(parameters.shape()[1]);
  const T* const logits = parameters.data<T>();
  const T* const means = logits + count;
  const T* const log_variances = means + count;
  const auto largest = static_cast<double>(*std::max_element(logits, logits + count));
  double total = 0;
  for (std::size_t k = 0; k < count; ++k)
    total += std::exp(static_cast<double>(logits[k]) - largest);
  std::vector<functors::MixtureComponent<T>> result(count);
  for (std::size_t k = 0; k < count; ++k) {
    const double log_variance = std::clamp(static_cast<double>(log_variances[k]), -20.0, 20.0);
    result[k] = {static_cast<T>(std::exp(largest - static_cast<double>(logits[k])) * total),
                 means[k], static_cast<T>(std::exp(0.5 * log_variance))};
  }
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
      for (std::int64_t b = begin; b < end; ++b)
        for (std::int64_t i = b * block; i < std::min((b + 1) * block, dz.numel()); ++i)
          functors::mixture_gradient(components.data(), count, e + i * count, n + i * count, dy[i],
                                     partial.data() + static_cast<std::size_t>(b) * entries);
    });
    std::vector<double> total(entries);
    for (std::size_t i = 0; i < partial.size(); ++i) total[i % entries] += partial[i];
    // From deviations to log-variances: d exp(v/2)/dv = deviation/2, 0 where the clamp holds.
    const T* const log_variances = parameters.data<T>() + 2 * count;
    for (std::size_t k = 0; k < components.size(); ++k) {
      const bool free = log_variances[k] >= T(-20) && log_variances[k] <= T(20);
      total[2 * components.size() + k] *=
          free ? 0.5 * static_cast<double>(components[k].deviation) : 0.0;
    }
    std::transform(total.begin(), total.end(), gradient.data<T>(),
                   [](double value) { return static_cast<T>(value); });
  });
}

}  // namespace mini::cpu
