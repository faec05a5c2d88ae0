// The device half of the CUDA language, on the host. A kernel is compiled as plain C++ against
// these headers, which come before the toolkit's in the include path, and runs here thread by
// thread.
//
//   threads of a block   are fibers. Each runs to its next barrier before the next one begins, in
//   rising
//                        or falling order, so that a missing barrier changes results.
//   device memory        is inaccessible while host code runs, filled with NaN when allocated, and
//                        poisoned outside allocations for AddressSanitizer.
//   streams              are queues that run only when the host waits, so that code without a
//   necessary
//                        synchronisation reads values that are not yet computed.
//
// Read next: stream.cpp, block.cpp, memory.cpp.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>

#define __global__
#define __device__
#define __host__
#define __shared__ static
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __grid_constant__

struct uint3 {
  unsigned x, y, z;
};
struct dim3 {
  unsigned x = 1, y = 1, z = 1;
  constexpr dim3(unsigned width = 1, unsigned height = 1, unsigned depth = 1)
      : x(width), y(height), z(depth) {}
};

// The indices of the thread that runs now.
extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;
constexpr int warpSize = 32;

namespace mini::emulator {

// Settings and counters for tests.
enum class Order { rising, falling };
void set_order(Order order);         // of the threads of a block
void set_memory(std::size_t bytes);  // of the device; existing allocations stay
void set_devices(int count);         // how many cudaGetDeviceCount finds
void set_driver(int version);        // 0: no driver
void set_capability(int major, int minor);
std::uint64_t launches();  // number of kernels queued so far

// Each waits for all threads of the block, or of the warp.
void block_barrier();
void warp_barrier();
// Exchanges values within a warp: `result` receives the value of lane `from`.
void exchange(const void* mine, std::size_t bytes, int from, void* result);
int lane();
// Shows the words of every lane of the warp to the others: [lane][word]. The result is valid until
// the lane's next call but one.
using Shown = std::array<std::uint32_t, 8>;
const Shown* show(const void* mine, std::size_t bytes);
// The dynamic shared memory of the block, of the size requested at launch.
std::byte* dynamic_shared_memory();

// Runs one block: calls `body` once for each thread.
void run_block(const std::function<void()>& body);

}  // namespace mini::emulator

inline void __syncthreads() { mini::emulator::block_barrier(); }
inline void __syncwarp(unsigned = 0xffffffffu) { mini::emulator::warp_barrier(); }

template <class T>
T __shfl_sync(unsigned, T value, int from, int width = warpSize) {
  const int lane = mini::emulator::lane();
  T result;
  mini::emulator::exchange(&value, sizeof value, lane / width * width + from % width, &result);
  return result;
}

template <class T>
T __shfl_xor_sync(unsigned mask, T value, int bits, int width = warpSize) {
  const int lane = mini::emulator::lane() % width;
  return __shfl_sync(mask, value, (lane ^ bits) < width ? lane ^ bits : lane, width);
}

template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned steps, int width = warpSize) {
  const int lane = mini::emulator::lane() % width;
  const int from = lane - static_cast<int>(steps);
  return __shfl_sync(mask, value, from >= 0 ? from : lane, width);
}

template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned steps, int width = warpSize) {
  const int lane = mini::emulator::lane() % width;
  const int from = lane + static_cast<int>(steps);
  return __shfl_sync(mask, value, from < width ? from : lane, width);
}
