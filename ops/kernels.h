// What a device must be able to compute: ops/kernels.inc is the list. Every backend implements exactly
// these functions, in its own namespace, and the linker says when one is missing:
//   mini::cpu    ops/cpu/*.cpp
//   mini::cuda   ops/cuda/*.cu
// The functions that users and autograd call are in ops/<family>.h; they check shapes, allocate the
// result and dispatch with MINI_DISPATCH (tensor/backend.h). A kernel may rely on shapes and dtypes
// being right.
#pragma once

#include <span>

#include "ops/params.h"
#include "tensor/backend.h"
#include "tensor/tensor.h"

namespace mini::cpu {
#include "ops/kernels.inc"
}  // namespace mini::cpu

namespace mini::cuda {
#include "ops/kernels.inc"  // NOLINT(readability-duplicate-include)
}  // namespace mini::cuda
