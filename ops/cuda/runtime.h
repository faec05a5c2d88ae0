// The CUDA runtime as mini uses it: one device a process computes on, one stream on it, every status
// checked. Plain C++; kernels are launched through ops/cuda/launch.cuh.
#pragma once

#include <cuda_runtime.h>

#include "ops/cuda/libraries.h"
#include "ops/precision.h"
#include "tensor/backend.h"

namespace mini::cuda {

// Throw Failure, with the call and the library's own words for the status.
void check_status(cudaError_t status, const char* call);
void check_status(cublasStatus_t status, const char* call);
void check_status(cudnnStatus_t status, const char* call);

// Of the device that this thread uses. All work is queued on this one stream, so that memory can
// be handed on the moment its last user is queued.
cudaStream_t stream();
cublasHandle_t cublas();
cudnnHandle_t cudnn();
const cudaDeviceProp& properties();

// Whether products and convolutions of float32 may round their operands to TF32.
inline bool tf32_allowed() { return ops::products() != ops::Products::full; }

}  // namespace mini::cuda
