// Builds where the CUDA toolkit, its cuBLAS and cuDNN 9 are complete (cmake/MiniCuda.cmake).
#include <concepts>
#include <cublas_v2.h>
#include <cuda_runtime.h>
#include <cudnn.h>

static_assert(CUDNN_MAJOR >= 9);

template <std::floating_point T>
__global__ void add_one(T* x) {
  x[threadIdx.x] += 1;
}

int main() {
  cublasHandle_t cublas;
  cudnnHandle_t cudnn;
  add_one<float><<<1, 1>>>(nullptr);
  return cudaDeviceSynchronize() != cudaSuccess || cublasCreate(&cublas) != CUBLAS_STATUS_SUCCESS ||
         cudnnCreate(&cudnn) != CUDNN_STATUS_SUCCESS;
}
