// The CUDA runtime as mini uses it: a process computes on one device and queues its work on one
// stream; every status is checked. This header is plain C++; ops/cuda/launch.cuh launches kernels.
#pragma once

#include <cuda_runtime.h>

#include "ops/cuda/libraries.h"
#include "ops/precision.h"
#include "tensor/backend.h"

namespace mini::cuda {

// Throws Failure, which names the call and the library's description of the status, unless it is
// success.
void check_status(cudaError_t status, const char* call);
void check_status(cublasStatus_t status, const char* call);
void check_status(cudnnStatus_t status, const char* call);

// The handles of the device that this thread uses. All work is queued on one stream, so a block of
// memory can be reused as soon as its last user is queued.
cudaStream_t stream();
cublasHandle_t cublas();
cudnnHandle_t cudnn();
const cudaDeviceProp& properties();

// Whether float32 products and convolutions may round their operands to TF32.
inline bool tf32_allowed() { return ops::products() != ops::Products::full; }

}  // namespace mini::cuda
