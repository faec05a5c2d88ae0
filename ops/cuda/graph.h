// What the rest of the backend needs to know about capturing.
#pragma once

#include <functional>

#include "ops/cuda/runtime.h"

namespace mini::cuda {

bool is_capturing();

// Queues work of the host between the kernels before and after this call. It runs now or, while a
// step is captured, in every replay.
void on_host(std::function<void()> work);

// Where captured kernels read the position of the random numbers: `base` points to {seed, offset}
// on the device, and this generator is `beyond` blocks further. `base` is null if nothing is being
// captured.
struct RandomPosition {
  const std::uint64_t* base = nullptr;
  std::uint64_t beyond = 0;
};
RandomPosition captured_position(const Generator& generator);

}  // namespace mini::cuda
