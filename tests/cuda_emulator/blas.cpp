// cuBLAS for the emulated device: plain loops.
#include <algorithm>
#include <type_traits>

#include "cublas_v2.h"
#include "round.h"

struct cublasContext {
  cudaStream_t stream = nullptr;
};

namespace {

struct Product {
  bool turn_a, turn_b;
  std::int64_t m, n, k;
  double alpha, beta;
  const void* a;
  std::int64_t lda, a_stride;
  const void* b;
  std::int64_t ldb, b_stride;
  void* c;
  std::int64_t ldc, c_stride, batch;
  bool tf32;
};

template <class T>
void multiply(const Product& p) {
  using Sum = std::conditional_t<std::is_same_v<T, double>, double, float>;
  const auto operand = [&](T value) {
    if constexpr (std::is_same_v<T, float>)
      return p.tf32 ? mini::emulator::round_to_tf32(value) : value;
    else
      return static_cast<Sum>(value);
  };
  for (std::int64_t i = 0; i < p.batch; ++i) {
    const T* const a = static_cast<const T*>(p.a) + i * p.a_stride;
    const T* const b = static_cast<const T*>(p.b) + i * p.b_stride;
    T* const c = static_cast<T*>(p.c) + i * p.c_stride;
    for (std::int64_t column = 0; column < p.n; ++column)
      for (std::int64_t row = 0; row < p.m; ++row) {
        Sum sum = 0;
        for (std::int64_t t = 0; t < p.k; ++t)
          sum += operand(a[p.turn_a ? row * p.lda + t : t * p.lda + row]) *
                 operand(b[p.turn_b ? t * p.ldb + column : column * p.ldb + t]);
        T& out = c[column * p.ldc + row];
        Sum result = static_cast<Sum>(p.alpha) * sum;
        // With beta = 0, cuBLAS does not read C.
        if (p.beta != 0) result += static_cast<Sum>(p.beta) * static_cast<Sum>(out);
        out = T(result);
      }
  }
}

}  // namespace

const char* cublasGetStatusString(cublasStatus_t status) {
  return status == CUBLAS_STATUS_SUCCESS         ? "CUBLAS_STATUS_SUCCESS"
         : status == CUBLAS_STATUS_INVALID_VALUE ? "CUBLAS_STATUS_INVALID_VALUE"
                                                 : "CUBLAS_STATUS_NOT_SUPPORTED";
}

cublasStatus_t cublasCreate(cublasHandle_t* handle) {
  *handle = new cublasContext;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetStream(cublasHandle_t handle, cudaStream_t stream) {
  handle->stream = stream;
  return CUBLAS_STATUS_SUCCESS;
}

// All sums here are in float32 to their end, so only that mode is supported.
cublasStatus_t cublasSetMathMode(cublasHandle_t, cublasMath_t mode) {
  return (mode & CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION) != 0
             ? CUBLAS_STATUS_SUCCESS
             : CUBLAS_STATUS_NOT_SUPPORTED;
}

cublasStatus_t cublasSetWorkspace(cublasHandle_t, void* workspace, std::size_t) {
  const bool aligned = reinterpret_cast<std::uintptr_t>(workspace) % 256 == 0;
  return aligned ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE;
}

cublasStatus_t cublasGemmStridedBatchedEx_64(
    cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb, std::int64_t m,
    std::int64_t n, std::int64_t k, const void* alpha, const void* a, cudaDataType a_type,
    std::int64_t lda, long long a_stride, const void* b, cudaDataType b_type, std::int64_t ldb,
    long long b_stride, const void* beta, void* c, cudaDataType c_type, std::int64_t ldc,
    long long c_stride, std::int64_t batch, cublasComputeType_t compute, cublasGemmAlgo_t) {
  const bool turn_a = transa == CUBLAS_OP_T, turn_b = transb == CUBLAS_OP_T;
  const auto least = [](std::int64_t rows) { return std::max<std::int64_t>(1, rows); };
  if (m < 0 || n < 0 || k < 0 || batch < 0 || lda < least(turn_a ? k : m) ||
      ldb < least(turn_b ? n : k) || ldc < least(m))
    return CUBLAS_STATUS_INVALID_VALUE;
  const bool wide = compute == CUBLAS_COMPUTE_64F;
  if (a_type != b_type || a_type != c_type || wide != (a_type == CUDA_R_64F) ||
      (compute == CUBLAS_COMPUTE_32F_FAST_TF32 && a_type != CUDA_R_32F))
    return CUBLAS_STATUS_NOT_SUPPORTED;
  const auto number = [wide](const void* value) {
    return wide ? *static_cast<const double*>(value)
                : static_cast<double>(*static_cast<const float*>(value));
  };
  const Product p{
      turn_a,       turn_b, m,   n,        k,     number(alpha),
      number(beta), a,      lda, a_stride, b,     ldb,
      b_stride,     c,      ldc, c_stride, batch, compute == CUBLAS_COMPUTE_32F_FAST_TF32};
  const auto run = a_type == CUDA_R_64F   ? multiply<double>
                   : a_type == CUDA_R_32F ? multiply<float>
                   : a_type == CUDA_R_16F ? multiply<mini::Half>
                                          : multiply<mini::BFloat16>;
  return mini::emulator::enqueue(handle->stream, [run, p] { run(p); }) == cudaSuccess
             ? CUBLAS_STATUS_SUCCESS
             : CUBLAS_STATUS_INVALID_VALUE;
}
