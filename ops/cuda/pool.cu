// Pooling: one thread per result. Gradients are gathered, so that no two threads write the same
// element and sums have the CPU's order.
#include "ops/cuda/launch.cuh"
#include "ops/kernels.h"

namespace mini::cuda {
namespace {

// The windows along one dimension of the image.
struct Windows {
  std::int64_t size, count;  // elements of the image and of the result
  std::int64_t kernel, stride, padding;

  Windows(const Shape& x, const Shape& y, const Pool2dParams& params, int dim)
      : size(x[2 + dim]),
        count(y[2 + dim]),
        kernel(params.kernel[static_cast<std::size_t>(dim)]),
        stride(params.stride[static_cast<std::size_t>(dim)]),
        padding(params.padding[static_cast<std::size_t>(dim)]) {}

  // The window, clipped to the image.
  __device__ std::int64_t begin(std::int64_t window) const {
    const std::int64_t first = window * stride - padding;
    return first < 0 ? 0 : first;
  }
  __device__ std::int64_t end(std::int64_t window) const {
    const std::int64_t last = window * stride - padding + kernel;
    return last < size ? last : size;
  }
  // The windows that contain a position.
  __device__ std::int64_t first_around(std::int64_t at) const {
    const std::int64_t beyond = at + padding - kernel;  // the last start that does not reach `at`
    return beyond < 0 ? 0 : beyond / stride + 1;
  }
  __device__ std::int64_t end_around(std::int64_t at) const {
    const std::int64_t last = (at + padding) / stride + 1;
    return last < count ? last : count;
  }
};

template <class T>
struct MaxPool {
  Windows down, across;
  const T* x;
  T* y;
  std::int64_t* indices;

  __device__ void operator()(std::int64_t i) const {
    const std::int64_t line = i / across.count, column = i % across.count;
    const std::int64_t row = line % down.count;
    const T* const plane = x + line / down.count * down.size * across.size;
    std::int64_t best = down.begin(row) * across.size + across.begin(column);
    auto largest = static_cast<Wide<T>>(plane[best]);
    for (std::int64_t h = down.begin(row); h < down.end(row); ++h)
      for (std::int64_t w = across.begin(column); w < across.end(column); ++w) {
        const auto value = static_cast<Wide<T>>(plane[h * across.size + w]);
        // A NaN beats every number, and nothing beats a NaN, so the first one stays.
        if (value > largest || (std::isnan(value) && !std::isnan(largest))) {
          best = h * across.size + w;
          largest = value;
        }
      }
    y[i] = plane[best];
    indices[i] = best;
  }
};

template <class T>
struct AvgPool {
  Windows down, across;
  const T* x;
  T* y;
  Wide<T> scale;

  __device__ void operator()(std::int64_t i) const {
    const std::int64_t line = i / across.count, column = i % across.count;
    const std::int64_t row = line % down.count;
    const T* const plane = x + line / down.count * down.size * across.size;
    Wide<T> total = 0;
    for (std::int64_t h = down.begin(row); h < down.end(row); ++h)
      for (std::int64_t w = across.begin(column); w < across.end(column); ++w)
        total += static_cast<Wide<T>>(plane[h * across.size + w]);
    y[i] = static_cast<T>(total * scale);
  }
};

template <class T>
struct AvgPoolGradient {
  Windows down, across;
  const T* dy;
  T* dx;
  Wide<T> scale;

  __device__ void operator()(std::int64_t i) const {
    const std::int64_t line = i / across.size, w = i % across.size, h = line % down.size;
    const T* const plane = dy + line / down.size * down.count * across.count;
    Wide<T> total = 0;
    for (std::int64_t row = down.first_around(h); row < down.end_around(h); ++row)
      for (std::int64_t column = across.first_around(w); column < across.end_around(w); ++column)
        total += static_cast<Wide<T>>(plane[row * across.count + column]) * scale;
    dx[i] = static_cast<T>(total);
  }
};

template <class T>
struct GatherPlanes {
  const T* x;
  const std::int64_t* indices;
  T* y;
  std::int64_t size, picked;  // elements of a plane

  __device__ void operator()(std::int64_t i) const { y[i] = x[i / picked * size + indices[i]]; }
};

constexpr int scatter_threads = 256;

// A thread block handles one plane, since a value may go anywhere in the plane. It takes as many
// values at a time as it has threads. Of the threads with the same target, the first adds all their
// values in order. So sums have the order of the values, and no two threads write the same element.
template <class T>
__global__ void scatter_kernel(const T* x, const std::int64_t* indices, T* y, std::int64_t size,
                               std::int64_t picked) {
  __shared__ std::int64_t targets[scatter_threads];
  const std::int64_t plane = blockIdx.x;
  const int thread = static_cast<int>(threadIdx.x), threads = static_cast<int>(blockDim.x);
  const T* const values = x + plane * picked;
  for (std::int64_t first = 0; first < picked; first += threads) {
    const auto count = static_cast<int>(picked - first < threads ? picked - first : threads);
    __syncthreads();  // all threads have read the previous targets
    if (thread < count) targets[thread] = indices[plane * picked + first + thread];
    __syncthreads();
    bool is_first = thread < count;
    for (int other = 0; other < thread && is_first; ++other)
      is_first = targets[other] != targets[thread];
    if (!is_first) continue;
    T* const target = y + plane * size + targets[thread];
    auto sum = static_cast<Wide<T>>(*target);
    for (int other = thread; other < count; ++other)
      if (targets[other] == targets[thread]) sum += static_cast<Wide<T>>(values[first + other]);
    *target = static_cast<T>(sum);
  }
}

std::int64_t plane_size(const Tensor& x) { return x.shape()[2] * x.shape()[3]; }

}  // namespace

void max_pool2d(const Tensor& x, const Tensor& y, const Tensor& indices,
                const Pool2dParams& params) {
  visit_floating(x.dtype(), "max_pool2d", [&](auto type) {
    using T = typename decltype(type)::type;
    for_each(y.numel(), MaxPool<T>{Windows(x.shape(), y.shape(), params, 0),
                                   Windows(x.shape(), y.shape(), params, 1), x.data<T>(),
                                   y.data<T>(), indices.data<std::int64_t>()});
  });
}

void avg_pool2d(const Tensor& x, const Tensor& y, const Pool2dParams& params) {
  visit_floating(x.dtype(), "avg_pool2d", [&](auto type) {
    using T = typename decltype(type)::type;
    const auto scale = Wide<T>(1) / static_cast<Wide<T>>(params.kernel[0] * params.kernel[1]);
    for_each(y.numel(),
             AvgPool<T>{Windows(x.shape(), y.shape(), params, 0),
                        Windows(x.shape(), y.shape(), params, 1), x.data<T>(), y.data<T>(), scale});
  });
}

void avg_pool2d_gradient(const Tensor& dy, const Tensor& dx, const Pool2dParams& params) {
  visit_floating(dy.dtype(), "avg_pool2d", [&](auto type) {
    using T = typename decltype(type)::type;
    const auto scale = Wide<T>(1) / static_cast<Wide<T>>(params.kernel[0] * params.kernel[1]);
    for_each(dx.numel(), AvgPoolGradient<T>{Windows(dx.shape(), dy.shape(), params, 0),
                                            Windows(dx.shape(), dy.shape(), params, 1),
                                            dy.data<T>(), dx.data<T>(), scale});
  });
}

void gather_planes(const Tensor& x, const Tensor& indices, const Tensor& y) {
  visit_floating(x.dtype(), "gather_planes", [&](auto type) {
    using T = typename decltype(type)::type;
    for_each(y.numel(), GatherPlanes<T>{x.data<T>(), indices.data<std::int64_t>(), y.data<T>(),
                                        plane_size(x), plane_size(y)});
  });
}

void scatter_planes(const Tensor& x, const Tensor& indices, const Tensor& y) {
  const std::int64_t planes = y.shape()[0] * y.shape()[1], picked = plane_size(x);
  if (planes == 0 || picked == 0) return;
  const auto threads =
      static_cast<int>(std::min<std::int64_t>(scatter_threads, (picked + 31) / 32 * 32));
  visit_floating(x.dtype(), "scatter_planes", [&](auto type) {
    using T = typename decltype(type)::type;
    launch({planes, threads}, scatter_kernel<T>, x.data<T>(), indices.data<std::int64_t>(),
           y.data<T>(), plane_size(y), picked);
  });
}

}  // namespace mini::cuda
