// Samples of a Gaussian mixture. A kernel computes the components once from the parameters. The
// gradient of the parameters is summed per thread, then per block, then over the blocks.
#include <algorithm>

#include "ops/cuda/launch.cuh"
#include "ops/functors_mixture.h"
#include "ops/kernels.h"

namespace mini::cuda {
namespace {

template <class T>
struct Prepare {
  const T* parameters;
  int count;
  functors::MixtureComponent<T>* components;
  __device__ void operator()(std::int64_t k) const {
    components[k] = functors::MixtureComponents<T>(parameters, count)[static_cast<int>(k)];
  }
};

// [K,3] on the device; each row is a MixtureComponent.
template <class T>
Tensor components_of(const Tensor& parameters) {
  const std::int64_t count = parameters.shape()[1];
  static_assert(sizeof(functors::MixtureComponent<T>) == 3 * sizeof(T));
  const Tensor result = Tensor::empty({count, 3}, parameters.dtype(), parameters.device());
  for_each(count, Prepare<T>{parameters.data<T>(), static_cast<int>(count),
                             reinterpret_cast<functors::MixtureComponent<T>*>(result.data<T>())});
  return result;
}

template <class T>
struct Race {
  const functors::MixtureComponent<T>* components;
  int count;
  const T *exponential, *normal;

  Race(const Tensor& prepared, const Tensor& e, const Tensor& n)
      : components(reinterpret_cast<const functors::MixtureComponent<T>*>(prepared.data<T>())),
        count(static_cast<int>(prepared.shape()[0])),
        exponential(e.data<T>()),
        normal(n.data<T>()) {}
};

template <class T>
struct Sample {
  Race<T> race;
  T* z;
  __device__ void operator()(std::int64_t i) const {
    z[i] = functors::mixture_sample(race.components, race.count, race.exponential + i * race.count,
                                    race.normal + i * race.count);
  }
};

constexpr std::int64_t elements_of_a_thread = 16;
constexpr std::size_t shared_bytes = 48 << 10;

// sums [blocks, 3K]
template <class T>
__global__ void gradient_kernel(Race<T> race, const T* dz, std::int64_t size, double* sums) {
  auto* const own = dynamic_shared<double>();  // [3K, threads]
  const int entries = 3 * race.count;
  const unsigned threads = blockDim.x;
  for (int entry = 0; entry < entries; ++entry) own[entry * threads + threadIdx.x] = 0;
  const std::int64_t begin = std::int64_t{blockIdx.x} * threads * elements_of_a_thread;
  for (std::int64_t k = 0; k < elements_of_a_thread; ++k) {
    const std::int64_t i = begin + k * threads + threadIdx.x;
    if (i < size)
      functors::mixture_gradient(race.components, race.count, race.exponential + i * race.count,
                                 race.normal + i * race.count, dz[i], [&](int entry, double value) {
                                   own[entry * threads + threadIdx.x] += value;
                                 });
  }
  __syncthreads();
  for (int entry = static_cast<int>(threadIdx.x); entry < entries;
       entry += static_cast<int>(threads)) {
    double sum = 0;
    for (unsigned thread = 0; thread < threads; ++thread) sum += own[entry * threads + thread];
    sums[std::int64_t{blockIdx.x} * entries + entry] = sum;
  }
}

// Converts the gradient from deviations to log-variances, and to T.
template <class T>
struct Finish {
  const double* total;
  const T* parameters;
  int count;
  T* gradient;
  __device__ void operator()(std::int64_t entry) const {
    double value = total[entry];
    if (entry >= 2 * count)
      value *= functors::MixtureComponents<T>(parameters, count)
                   .deviation_slope(static_cast<int>(entry) - 2 * count);
    gradient[entry] = static_cast<T>(value);
  }
};

}  // namespace

void sample_mixture(const Tensor& parameters, const Tensor& exponential, const Tensor& normal,
                    const Tensor& z) {
  visit_real(z.dtype(), "sample_mixture", [&](auto type) {
    using T = typename decltype(type)::type;
    const Tensor components = components_of<T>(parameters);
    for_each(z.numel(), Sample<T>{Race<T>(components, exponential, normal), z.data<T>()});
  });
}

void sample_mixture_gradient(const Tensor& dz, const Tensor& parameters, const Tensor& exponential,
                             const Tensor& normal, const Tensor& gradient) {
  const std::int64_t entries = 3 * parameters.shape()[1];
  const auto bytes_of_a_thread = static_cast<std::size_t>(entries) * sizeof(double);
  int threads = 128;
  while (threads > 1 && threads * bytes_of_a_thread > shared_bytes) threads /= 2;
  check(threads * bytes_of_a_thread <= shared_bytes, "sample_mixture: a mixture of ", entries / 3,
        " components is too large for a GPU; at most ", shared_bytes / 3 / sizeof(double));
  // For few elements, few threads are enough.
  while (threads > 32 && threads / 2 >= dz.numel()) threads /= 2;
  const std::int64_t elements = threads * elements_of_a_thread;
  const std::int64_t blocks = std::max<std::int64_t>(1, (dz.numel() + elements - 1) / elements);
  const Tensor sums = Tensor::empty({1, blocks, entries}, DType::float64, dz.device());
  const Tensor total = Tensor::empty({1, entries}, DType::float64, dz.device());
  visit_real(dz.dtype(), "sample_mixture", [&](auto type) {
    using T = typename decltype(type)::type;
    const Tensor components = components_of<T>(parameters);
    launch({blocks, threads, threads * bytes_of_a_thread}, gradient_kernel<T>,
           Race<T>(components, exponential, normal), dz.data<T>(), dz.numel(), sums.data<double>());
    reduce(Reduction::sum, sums, total);
    for_each(entries, Finish<T>{total.data<double>(), parameters.data<T>(),
                                static_cast<int>(parameters.shape()[1]), gradient.data<T>()});
  });
}

}  // namespace mini::cuda
