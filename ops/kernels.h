// The kernels that every backend implements, each in its own namespace; ops/kernels.inc is the
// list. The linker reports a missing kernel.
//   mini::cpu    ops/cpu/*.cpp
//   mini::cuda   ops/cuda/*.cu
// Users and autograd call the functions in ops/<family>.h. They check shapes, allocate the result
// and dispatch with MINI_DISPATCH (tensor/backend.h). So a kernel may rely on correct shapes and
// dtypes.
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
