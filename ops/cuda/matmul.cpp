// Matrix products by cuBLAS, which is column-major: our row-major C = A B is its C^T = B^T A^T, the
// same bytes. An operand may be row-major or column-major; one with other strides is copied first.
#include "ops/cuda/runtime.h"
#include "ops/kernels.h"
#include "tensor/view.h"

namespace mini::cuda {
namespace {

struct Operand {
  Tensor matrices;       // [B,R,C]; may be a copy, which must stay alive
  cublasOperation_t op;  // how cuBLAS is to read it
  std::int64_t leading;  // elements between rows (columns, if transposed)
};

Operand operand(const Tensor& t) {
  const std::int64_t rows = t.size(1), columns = t.size(2);
  const std::int64_t row = t.strides()[1], column = t.strides()[2];
  // The stride of an extent of 1 has no meaning.
  if ((columns == 1 || column == 1) && (rows == 1 || row >= columns))
    return {t, CUBLAS_OP_N, rows == 1 ? columns : row};
  if ((rows == 1 || row == 1) && (columns == 1 || column >= rows))
    return {t, CUBLAS_OP_T, columns == 1 ? rows : column};
  const Tensor copy = ops::contiguous(t);
  return {copy, CUBLAS_OP_N, columns};
}

}  // namespace

// float64 is multiplied and summed in float64. float32 is multiplied in float32, or in TF32 if
// products may be rounded; TF32 also serves bfloat16 products, since it is more exact and these
// matrices are small. 16-bit types are summed in float32.
void matmul(const Tensor& a, const Tensor& b, const Tensor& y) {
  const std::int64_t m = y.size(1), n = y.size(2), k = a.size(2);
  if (k == 0) {
    fill(y, 0);
    return;
  }
  const DType dtype = y.dtype();
  check(is_floating(dtype), "matmul: computes in floating point, got ", dtype, "; cast first");
  const bool wide = dtype == DType::float64;
  const cudaDataType type = wide                       ? CUDA_R_64F
                            : dtype == DType::float32  ? CUDA_R_32F
                            : dtype == DType::bfloat16 ? CUDA_R_16BF
                                                       : CUDA_R_16F;
  const cublasComputeType_t compute = wide ? CUBLAS_COMPUTE_64F
                                      : dtype == DType::float32 && tf32_allowed()
                                          ? CUBLAS_COMPUTE_32F_FAST_TF32
                                          : CUBLAS_COMPUTE_32F;
  const Operand left = operand(b), right = operand(a);
  const double one[] = {1, 0};
  const float narrow_one[] = {1, 0};
  const void* const alpha = wide ? static_cast<const void*>(one) : narrow_one;
  const void* const beta = wide ? static_cast<const void*>(one + 1) : narrow_one + 1;
  check_status(cublasGemmStridedBatchedEx_64(
                   cublas(), left.op, right.op, n, m, k, alpha, left.matrices.raw_data(), type,
                   left.leading, left.matrices.strides()[0], right.matrices.raw_data(), type,
                   right.leading, right.matrices.strides()[0], beta, y.raw_data(), type, n, m * n,
                   y.size(0), compute, CUBLAS_GEMM_DEFAULT),
               "cublasGemmStridedBatchedEx");
}

}  // namespace mini::cuda
