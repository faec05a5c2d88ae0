// Corrections for exact inverses (ops/correction.h). A thread block handles one block of elements,
// and each thread a run of consecutive ones, so that the order of the elements in `aside` is that
// of the threads. Few elements are stored there; a block without any skips that part.
#include "ops/cuda/launch.cuh"
#include "ops/functors_correction.h"
#include "ops/kernels.h"

namespace mini::cuda {
namespace {

constexpr int threads = 256, warp = 32, warps = threads / warp;
constexpr int run = correction_block / threads;  // elements per thread
static_assert(run * threads == correction_block);

// The sum of `count` over the threads before this one, and over all. All threads must call this.
struct Ranks {
  std::int64_t before, total;
};

__device__ Ranks rank_among_threads(std::int64_t count) {
  __shared__ std::int64_t warp_counts[warps];
  const int lane = static_cast<int>(threadIdx.x) % warp;
  const int own_warp = static_cast<int>(threadIdx.x) / warp;
  std::int64_t upto = count;  // sum over this thread and the lanes before it
  for (int step = 1; step < warp; step *= 2) {
    const std::int64_t lower = __shfl_up_sync(0xffffffffu, upto, static_cast<unsigned>(step));
    if (lane >= step) upto += lower;
  }
  if (lane == warp - 1) warp_counts[own_warp] = upto;
  __syncthreads();
  Ranks result{upto - count, 0};
  for (int w = 0; w < warps; ++w) {
    if (w < own_warp) result.before += warp_counts[w];
    result.total += warp_counts[w];
  }
  return result;
}

__device__ std::int64_t smaller(std::int64_t a, std::int64_t b) { return a < b ? a : b; }

// The elements of a thread, in registers.
template <class T>
struct alignas(sizeof(T) * run) Run {
  T at[run];
};

// The elements of a thread: at the end of the tensor fewer than `run`, perhaps none.
struct Part {
  std::int64_t first, size;
  __device__ explicit Part(std::int64_t count)
      : first(thread_index() * run), size(smaller(run, count - first)) {}

  template <class T>
  __device__ Run<T> load(const T* x) const {
    if (moves_at_once(x)) return *reinterpret_cast<const Run<T>*>(x + first);
    Run<T> values{};
    for (int i = 0; i < run; ++i)
      if (i < size) values.at[i] = x[first + i];
    return values;
  }
  template <class T>
  __device__ void store(const Run<T>& values, T* x) const {
    if (moves_at_once(x)) {
      *reinterpret_cast<Run<T>*>(x + first) = values;
      return;
    }
    for (int i = 0; i < run; ++i)
      if (i < size) x[first + i] = values.at[i];
  }
  // Calls f(i) for each element that is stored aside.
  template <class F>
  __device__ void for_each_aside(const Run<std::uint8_t>& codes, const F& f) const {
    for (int i = 0; i < run; ++i)
      if (i < size && codes.at[i] == 0) f(i);
  }
  __device__ std::int64_t count_aside(const Run<std::uint8_t>& codes) const {
    std::int64_t count = 0;
    for_each_aside(codes, [&](int) { ++count; });
    return count;
  }

 private:
  template <class T>
  __device__ bool moves_at_once(const T* x) const {
    return size == run && reinterpret_cast<std::uintptr_t>(x) % sizeof(Run<T>) == 0;
  }
};

// starts[b + 1] = number of elements of block b that are stored aside.
template <class T>
__global__ void codes_kernel(const T* x, const T* estimate, std::uint8_t* codes,
                             std::int64_t* starts, std::int64_t count) {
  const Part part(count);
  const Run<T> value = part.load(x), guess = part.load(estimate);
  Run<std::uint8_t> code;
  for (int i = 0; i < run; ++i) code.at[i] = functors::CorrectionCode{}(value.at[i], guess.at[i]);
  part.store(code, codes);
  const std::int64_t total = rank_among_threads(part.count_aside(code)).total;
  if (threadIdx.x == 0) starts[blockIdx.x + 1] = total;
}

// Replaces the numbers by their prefix sums; starts[0] becomes 0. One thread block; each thread
// sums a consecutive part.
__global__ void starts_kernel(std::int64_t* starts, std::int64_t blocks) {
  const std::int64_t stretch = (blocks + threads - 1) / threads;
  const std::int64_t begin = 1 + threadIdx.x * stretch, end = smaller(blocks + 1, begin + stretch);
  std::int64_t sum = 0;
  for (std::int64_t b = begin; b < end; ++b) sum += starts[b];
  std::int64_t before = rank_among_threads(sum).before;
  for (std::int64_t b = begin; b < end; ++b) starts[b] = before += starts[b];
  if (threadIdx.x == 0) starts[0] = 0;
}

template <class T>
__global__ void aside_kernel(const T* x, const std::uint8_t* codes, const std::int64_t* starts,
                             T* aside, std::int64_t room, std::int64_t count) {
  const std::int64_t start = starts[blockIdx.x];
  if (start == starts[blockIdx.x + 1]) return;
  const Part part(count);
  const Run<std::uint8_t> code = part.load(codes);
  std::int64_t place = start + rank_among_threads(part.count_aside(code)).before;
  part.for_each_aside(code, [&](int i) {
    if (place < room) aside[place] = x[part.first + i];
    ++place;
  });
}

template <class T>
__global__ void correct_kernel(T* values, const std::uint8_t* codes, const std::int64_t* starts,
                               const T* aside, std::int64_t room, std::int64_t count) {
  const Part part(count);
  Run<T> value = part.load(values);
  const Run<std::uint8_t> code = part.load(codes);
  for (int i = 0; i < run; ++i)
    if (code.at[i] != 0) value.at[i] = functors::Correct{}(value.at[i], code.at[i]);
  const std::int64_t start = starts[blockIdx.x];
  if (start != starts[blockIdx.x + 1]) {
    std::int64_t place = start + rank_among_threads(part.count_aside(code)).before;
    part.for_each_aside(code, [&](int i) {
      value.at[i] = place < room ? aside[place] : std::numeric_limits<T>::quiet_NaN();
      ++place;
    });
  }
  part.store(value, values);
}

// One thread block for each block of elements.
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
