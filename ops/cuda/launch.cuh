// Launching kernels. Most have one of two forms: one thread per index (for_each), or an elementwise
// loop over operands of any strides (map).
#pragma once

#include <cstdint>
#include <type_traits>
#include <utility>

#include "ops/cuda/runtime.h"
#include "tensor/convert.h"
#include "tensor/strided.h"

namespace mini::cuda {

// A one-dimensional grid; `shared` is the dynamic shared memory in bytes.
struct Grid {
  std::int64_t blocks = 1;
  int threads = 256;
  std::size_t shared = 0;
};

template <class... Parameters, class... Arguments>
void launch(const Grid& grid, void (*kernel)(Parameters...), const Arguments&... arguments) {
  check(grid.blocks > 0 && grid.blocks < (std::int64_t{1} << 31), "cuda: a grid of ", grid.blocks,
        " blocks");
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(static_cast<unsigned>(grid.blocks));
  config.blockDim = dim3(static_cast<unsigned>(grid.threads));
  config.dynamicSmemBytes = grid.shared;
  config.stream = stream();
  constexpr std::size_t granted = 48 << 10;  // available without an attribute
  if (grid.shared > granted)
    check_status(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                      static_cast<int>(grid.shared)),
                 "cudaFuncSetAttribute");
  check_status(cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(arguments)...),
               "kernel launch");
}

__device__ inline std::int64_t thread_index() {
  return std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
}

// The dynamic shared memory of the block.
template <class T>
__device__ T* dynamic_shared() {
#ifdef __CUDACC__
  extern __shared__ __align__(128) unsigned char dynamic_shared_memory[];
  return reinterpret_cast<T*>(dynamic_shared_memory);
#else
  return reinterpret_cast<T*>(emulator::dynamic_shared_memory());
#endif
}

template <class F>
__global__ void for_each_kernel(F f, std::int64_t count) {
  const std::int64_t i = thread_index();
  if (i < count) f(i);
}

// Calls f(i) for i < count, one thread each. F must be a struct at namespace scope with a const
// operator() that is __device__ (or MINI_HOST_DEVICE); it is passed by value.
template <class F>
void for_each(std::int64_t count, const F& f) {
  if (count == 0) return;
  const Grid grid{(count + 255) / 256, 256};
  launch(grid, for_each_kernel<F>, f, count);
}

// The type for arithmetic: 16-bit types are widened to float.
template <class T>
using Wide = std::conditional_t<std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>, float, T>;

// `count` neighbouring elements of an operand, in registers.
template <class T, int count, bool output>
struct Lanes {
  struct alignas(sizeof(T) * count) Vector {
    T at[count];
  };
  T* place;
  Wide<T> values[count];

  __device__ explicit Lanes(T* from) : place(from) {
    if constexpr (!output) {
      const Vector loaded = *reinterpret_cast<const Vector*>(place);
      for (int i = 0; i < count; ++i) values[i] = static_cast<Wide<T>>(loaded.at[i]);
    }
  }
  __device__ void store() const {
    if constexpr (output) {
      Vector stored;
      for (int i = 0; i < count; ++i) stored.at[i] = T(values[i]);
      *reinterpret_cast<Vector*>(place) = stored;
    }
  }
};

template <int count, class F, class... AllLanes>
__device__ void map_lanes(const F& f, AllLanes&&... lanes) {
#pragma unroll
  for (int i = 0; i < count; ++i) f(lanes.values[i]...);
  (lanes.store(), ...);
}

// For aligned operands without gaps: a thread handles `width` elements, at most 16 bytes of each
// operand.
template <int outputs, int width, class F, std::size_t... k, class... T>
__device__ void map_row(const F& f, std::int64_t count, std::index_sequence<k...>, T*... operands) {
  const std::int64_t first = thread_index() * width;
  if (first + width <= count) {
    map_lanes<width>(f, Lanes<T, width, (k < outputs)>(operands + first)...);
  } else {
    for (std::int64_t i = first; i < count; ++i)
      map_lanes<1>(f, Lanes<T, 1, (k < outputs)>(operands + i)...);
  }
}

template <int outputs, int width, class F, class... T>
__global__ void map_row_kernel(F f, std::int64_t count, T*... operands) {
  map_row<outputs, width>(f, count, std::index_sequence_for<T...>(), operands...);
}

template <int outputs, class F, class Offsets, std::size_t... k, class... T>
__device__ void map_element(const F& f, const Offsets& offsets, std::index_sequence<k...>,
                            T*... operands) {
  map_lanes<1>(f, Lanes<T, 1, (k < outputs)>(operands + offsets[k])...);
}

// For any strides: a thread handles one element.
template <int outputs, class F, class... T>
__global__ void map_strided_kernel(F f, StridedLoop<sizeof...(T)> loop, T*... operands) {
  const std::int64_t i = thread_index();
  if (i >= loop.count) return;
  // Integer division dominates here, and a GPU divides much faster in 32 bits.
  const auto offsets = loop.count <= 0x7fffffff ? loop.offsets(static_cast<std::uint32_t>(i))
                                                : loop.offsets(static_cast<std::uint64_t>(i));
  map_element<outputs>(f, offsets, std::index_sequence_for<T...>(), operands...);
}

inline bool is_aligned(const void* data, std::size_t bytes) {
  return reinterpret_cast<std::uintptr_t>(data) % bytes == 0;
}

// Calls f(o..., i...) with references to corresponding elements, widened. The first `outputs`
// operands are only written, the others only read; an operand changed in place is passed twice. T
// are the types of the operands, in order. All have the same shape; threads follow the memory order
// of the first.
template <int outputs, class... T, class F, class... Operands>
void map(const F& f, const Tensor& first, const Operands&... rest) {
  constexpr std::size_t widest = std::max({sizeof(T)...});
  constexpr int width = widest >= 16 ? 1 : static_cast<int>(16 / widest);
  const StridedLoop<sizeof...(T)> loop(first.shape(), {first.strides(), rest.strides()...});
  if (loop.count == 0) return;
  bool row = loop.rank == 1;
  for (const std::int64_t step : loop.steps[0]) row = row && step == 1;
  const auto run = [&](T*... operands) {
    if (row && (is_aligned(operands, sizeof(T) * width) && ...)) {
      const std::int64_t threads = (loop.count + width - 1) / width;
      launch({(threads + 255) / 256, 256}, map_row_kernel<outputs, width, F, T...>, f, loop.count,
             operands...);
    } else {
      launch({(loop.count + 255) / 256, 256}, map_strided_kernel<outputs, F, T...>, f, loop,
             operands...);
    }
  };
  const std::array<std::byte*, sizeof...(T)> data{first.raw_data(), rest.raw_data()...};
  [&]<std::size_t... k>(std::index_sequence<k...>) { run(reinterpret_cast<T*>(data[k])...); }
  (std::index_sequence_for<T...>());
}

// Calls f(std::type_identity<T>{}) for the types that a GPU computes in; any other is an error that
// names the op.
template <class F>
decltype(auto) visit_floating(DType dtype, const char* op, F&& f) {
  switch (dtype) {
    case DType::float32:
      return f(std::type_identity<float>{});
    case DType::float64:
      return f(std::type_identity<double>{});
    case DType::bfloat16:
      return f(std::type_identity<BFloat16>{});
    case DType::float16:
      return f(std::type_identity<Half>{});
    default:
      fail(op, ": computes in floating point, got ", name_of(dtype), "; cast first");
  }
}

}  // namespace mini::cuda
