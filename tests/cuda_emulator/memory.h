// The memory of the emulated device, and what may not happen during a capture.
#pragma once

#include "cuda_runtime.h"

namespace mini::emulator {

// Device memory can be accessed while an object of this class lives.
class Unlocked {
 public:
  Unlocked();
  ~Unlocked();
  Unlocked(const Unlocked&) = delete;
  Unlocked& operator=(const Unlocked&) = delete;
};

void wait_for_device();
// For a call that no capture allows: returns whether a stream captures, and invalidates its
// capture.
bool may_not_capture();
bool is_capturing(cudaStream_t stream);
// The same for a call that a relaxed capture allows.
bool invalidates_strict_capture();

}  // namespace mini::emulator
