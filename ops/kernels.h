// The kernels that every backend implements, each in its own namespace; ops/kernels.inc is the
// list. The linker reports a missing kernel.
//   mini::cpu::plain, avx2, avx512   ops/cpu/*.cpp, compiled once for each (tensor/isa.h)
//   mini::cuda                       ops/cuda/*.cu
// Users and autograd call the functions in ops/<family>.h. They check shapes, allocate the result
// and dispatch with MINI_DISPATCH (tensor/backend.h). So a kernel may rely on correct shapes and
// dtypes.
#pragma once

#include <span>

#include "ops/params.h"
#include "tensor/backend.h"
#include "tensor/tensor.h"

// NOLINTBEGIN(readability-duplicate-include)
namespace mini::cpu::plain {
#include "ops/cpu/kernels.inc"
#include "ops/kernels.inc"
}  // namespace mini::cpu::plain
namespace mini::cpu::avx2 {
#include "ops/cpu/kernels.inc"
#include "ops/kernels.inc"
}  // namespace mini::cpu::avx2
namespace mini::cpu::avx512 {
#include "ops/cpu/kernels.inc"
#include "ops/kernels.inc"
}  // namespace mini::cpu::avx512
namespace mini::cuda {
#include "ops/kernels.inc"
}  // namespace mini::cuda
// NOLINTEND(readability-duplicate-include)
