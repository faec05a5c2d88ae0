// What a device must be able to compute: ops/kernels.inc is the list. Every backend implements exactly
// these functions, in its own namespace, and the linker says when one is missing:
//   mini::cpu::plain, avx2, avx512   ops/cpu/*.cpp, compiled once for each (tensor/isa.h)
//   mini::cuda                       ops/cuda/*.cu
// The functions that users and autograd call are in ops/<family>.h; they check shapes, allocate the
// result and dispatch with MINI_DISPATCH (tensor/backend.h). A kernel may rely on shapes and dtypes
// being right.
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
