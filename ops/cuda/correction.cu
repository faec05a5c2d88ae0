// Exact inverses: a block of threads takes one block of elements. What is kept aside is rare, so a
// block without any does nothing about it.
#include "ops/cuda/launch.cuh"
#include "ops/functors_correction.h"
#include "ops/kernels.h"

namespace mini::cuda {
namespace {

constexpr int threads = 256, group = 16, groups = threads / group;
constexpr int run = correction_block / threads;  // elements of a thread that keeps the order

// The sum of the counts of the threads before this one, and of all. Every thread calls this once.
struct Ranks {
  std::int64_t before, total;
};

__device__ Ranks rank_among_threads(std::int64_t count) {
  __shared__ std::int64_t counts[threads], group_counts[groups];
  const int thread = static_cast<int>(threadIdx.x), own_group = thread / group;
  counts[thread] = count;
  __syncthreads();
  std::int64_t before = 0;
  for (int t = own_group * group; t < thread; ++t) before += counts[t];
  if (thread % group == group - 1) group_counts[own_group] = before + count;
  __syncthreads();
  std::int64_t total = 0;
  for (int g = 0; g < groups; ++g) {
    if (g == own_group) before += total;
    total += group_counts[g];
  }
  return {before, total};
}

__device__ std::int64_t smaller(std::int64_t a, std::int64_t b) { return a < b ? a : b; }

// The elements of this block of threads.
struct Part {
  std::int64_t begin, end;
  __device__ explicit Part(std::int64_t count)
      : begin(std::int64_t{blockIdx.x} * correction_block),
        end(smaller(count, begin + correction_block)) {}
};

// starts[b + 1] = elements kept aside of block b.
template <class T>
__global__ void codes_kernel(const T* x, const T* estimate, std::uint8_t* codes,
                             std::int64_t* starts, std::int64_t count) {
  const Part part(count);
  std::int64_t aside = 0;
  for (std::int64_t i = part.begin + threadIdx.x; i < part.end; i += threads) {
    const std::uint8_t code = functors::CorrectionCode{}(x[i], estimate[i]);
    codes[i] = code;
    aside += code == 0;
  }
  const std::int64_t total = rank_among_threads(aside).total;
  if (threadIdx.x == 0) starts[blockIdx.x + 1] = total;
}

// Sums of all entries up to each; the first one becomes 0. One block, each thread a stretch.
__global__ void starts_kernel(std::int64_t* starts, std::int64_t blocks) {
  const std::int64_t stretch = (blocks + threads - 1) / threads;
  const std::int64_t begin = 1 + threadIdx.x * stretch, end = smaller(blocks + 1, begin + stretch);
  std::int64_t sum = 0;
  for (std::int64_t b = begin; b < end; ++b) sum += starts[b];
  std::int64_t before = rank_among_threads(sum).before;
  for (std::int64_t b = begin; b < end; ++b) starts[b] = before += starts[b];
  if (threadIdx.x == 0) starts[0] = 0;
}

// Calls f(i, place among the elements kept aside) for every one of them of this block.
template <class F>
__device__ void for_each_aside(const Part& part, const std::uint8_t* codes,
                               const std::int64_t* starts, const F& f) {
  if (starts[blockIdx.x] == starts[blockIdx.x + 1]) return;
  const std::int64_t begin = part.begin + threadIdx.x * run, end = smaller(part.end, begin + run);
  std::int64_t aside = 0;
  for (std::int64_t i = begin; i < end; ++i) aside += codes[i] == 0;
  std::int64_t place = starts[blockIdx.x] + rank_among_threads(aside).before;
  for (std::int64_t i = begin; i < end; ++i)
    if (codes[i] == 0) f(i, place++);
}

template <class T>
__global__ void aside_kernel(const T* x, const std::uint8_t* codes, const std::int64_t* starts,
                             T* aside, std::int64_t room, std::int64_t count) {
  for_each_aside(Part(count), codes, starts, [&](std::int64_t i, std::int64_t place) {
    if (place < room) aside[place] = x[i];
  });
}

template <class T>
__global__ void correct_kernel(T* values, const std::uint8_t* codes, const std::int64_t* starts,
                               const T* aside, std::int64_t room, std::int64_t count) {
  const Part part(count);
  for (std::int64_t i = part.begin + threadIdx.x; i < part.end; i += threads)
    if (codes[i] != 0) values[i] = functors::Correct{}(values[i], codes[i]);
  for_each_aside(part, codes, starts, [&](std::int64_t i, std::int64_t place) {
    values[i] = place < room ? aside[place] : std::numeric_limits<T>::quiet_NaN();
  });
}

// Of the blocks of `count` elements.
template <class... Parameters, class... Arguments>
void launch_blocks(std::int64_t count, void (*kernel)(Parameters...),
                   const Arguments&... arguments) {
  if (count == 0) return;
  launch({(count + correction_block - 1) / correction_block, threads}, kernel, arguments...);
}

}  // namespace

void correction_codes(const Tensor& x, const Tensor& estimate, const Tensor& codes,
                      const Tensor& starts) {
  auto* const code = codes.data<std::uint8_t>();
  auto* const start = starts.data<std::int64_t>();
  visit_real(x.dtype(), "correction", [&](auto type) {
    using T = typename decltype(type)::type;
    launch_blocks(x.numel(), codes_kernel<T>, x.data<T>(), estimate.data<T>(), code, start,
                  x.numel());
  });
  launch({1, threads}, starts_kernel, start, starts.numel() - 1);
}

void correction_aside(const Tensor& x, const Tensor& codes, const Tensor& starts,
                      const Tensor& aside) {
  visit_real(x.dtype(), "correction", [&](auto type) {
    using T = typename decltype(type)::type;
    launch_blocks(x.numel(), aside_kernel<T>, x.data<T>(), codes.data<std::uint8_t>(),
                  starts.data<std::int64_t>(), aside.data<T>(), aside.numel(), x.numel());
  });
}

void correct(const Tensor& estimate, const Tensor& codes, const Tensor& starts,
             const Tensor& aside) {
  visit_real(estimate.dtype(), "corrected", [&](auto type) {
    using T = typename decltype(type)::type;
    launch_blocks(estimate.numel(), correct_kernel<T>, estimate.data<T>(),
                  codes.data<std::uint8_t>(), starts.data<std::int64_t>(), aside.data<T>(),
                  aside.numel(), estimate.numel());
  });
}

}  // namespace mini::cuda
