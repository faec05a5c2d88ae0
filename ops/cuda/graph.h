// A step being captured, as the rest of the backend sees it.
#pragma once

#include <functional>

#include "ops/cuda/runtime.h"

namespace mini::cuda {

bool is_capturing();

// The host's part of a step, between what was queued before and what will be queued after: runs now,
// or, while a step is captured, in every replay of it.
void on_host(std::function<void()> work);

// Where captured kernels find the random numbers' position: {seed, offset} on the device, and how far
// this generator is beyond it. Null pointer: nothing is being captured.
struct RandomPosition {
  const std::uint64_t* base = nullptr;
  std::uint64_t beyond = 0;
};
RandomPosition captured_position(const Generator& generator);

}  // namespace mini::cuda
