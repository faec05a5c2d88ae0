#include "ops/inverse.h"

#include "ops/kernels.h"
#include "tensor/view.h"

namespace mini::ops {

Inverse inverse(const Tensor& matrix) {
  check(matrix.rank() == 2 && matrix.size(0) == matrix.size(1) && matrix.size(0) > 0,
        "inverse: needs a square matrix [K,K], got ", matrix.shape());
  Inverse result{Tensor::empty(matrix.shape(), matrix.dtype(), matrix.device()),
                 Tensor::empty({}, matrix.dtype(), matrix.device())};
  MINI_DISPATCH(matrix.device(), inverse, contiguous(matrix), result.matrix, result.log_abs_det);
  return result;
}

}  // namespace mini::ops
