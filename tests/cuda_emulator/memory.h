// The emulated device's memory.
#pragma once

#include "cuda_runtime.h"

namespace mini::emulator {

// Device memory can be accessed while one of these lives.
class Unlocked {
 public:
  Unlocked();
  ~Unlocked();
  Unlocked(const Unlocked&) = delete;
  Unlocked& operator=(const Unlocked&) = delete;
};

void wait_for_device();
// True while a stream captures, whose capture is then void.
bool may_not_capture();
bool is_capturing(cudaStream_t stream);
// The same for what a relaxed capture allows.
bool invalidates_strict_capture();

}  // namespace mini::emulator
