// What a device must be able to compute. ops/kernels.inc is the list; every backend implements
// exactly these functions, in its own namespace, and the linker says when one is missing:
//   mini::cpu   ops/cpu/*.cpp
// The functions that users and autograd call are in ops/<family>.h; they check shapes, allocate the
// result and dispatch with MINI_DISPATCH. A kernel may rely on shapes and dtypes being right.
#pragma once

#include <span>

#include "ops/params.h"
#include "tensor/tensor.h"

namespace mini::cpu {
#include "ops/kernels.inc"
}  // namespace mini::cpu

namespace mini::ops {
inline void require_cpu(Device device, const char* op) {
  check(device.is_cpu(), op, ": this build of mini has no CUDA backend");
}
}  // namespace mini::ops

// A macro because a function cannot choose between namespaces.
#define MINI_DISPATCH(device, kernel, ...) \
  (::mini::ops::require_cpu(device, #kernel), ::mini::cpu::kernel(__VA_ARGS__))
