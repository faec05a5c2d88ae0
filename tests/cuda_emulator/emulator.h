// The device half of CUDA's language on the host: what a kernel sees. A kernel is compiled as plain
// C++ against these headers, which stand in front of the toolkit's in the include path, and runs
// here thread by thread.
//
//   threads of a block   fibers, each run to its next barrier before the next one begins: in rising
//                        or falling order, so that a missing barrier changes results
//   device memory        inaccessible while host code runs, filled with NaN when allocated, and
//                        fenced for AddressSanitizer
//   streams              queues that are worked off only when the host waits: a missing
//                        synchronisation reads what has not been computed
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

// Of the thread that runs now.
extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;
constexpr int warpSize = 32;

namespace mini::emulator {

// What tests may change.
enum class Order { rising, falling };
void set_order(Order order);         // of the threads of a block
void set_memory(std::size_t bytes);  // of the device; what is allocated stays
void set_devices(int count);         // how many are found
void set_driver(int version);        // 0: no driver
void set_capability(int major, int minor);
std::uint64_t launches();  // kernels queued so far

// All threads of the block, or of the warp, wait here for each other.
void block_barrier();
void warp_barrier();
// A value that every lane of a warp shows the others: lane `from`'s.
void exchange(const void* mine, std::size_t bytes, int from, void* result);
int lane();
// What every lane of the warp shows in a collective operation: [lane][word]. Valid until the lane's
// next call but one.
using Shown = std::array<std::uint32_t, 8>;
const Shown* show(const void* mine, std::size_t bytes);
// Bytes that all threads of the block share, as many as the launch asked for.
std::byte* dynamic_shared_memory();

// Runs one block: `body` once for each of its threads.
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
