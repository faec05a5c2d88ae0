#include "ops/ladder.h"

#include "ops/kernels.h"

namespace mini::ops {

Tensor convolve_on_rung(Rung rung, const Tensor& x, const Tensor& w) {
  check(x.rank() == 3 && w.rank() == 4 && w.size(1) == x.size(0) && w.size(2) == 3 &&
            w.size(3) == 3 && x.numel() > 0 && w.numel() > 0,
        "convolve_on_rung: needs x [C,H,W] and w [O,C,3,3], got ", x.shape(), " and ", w.shape());
  check(x.dtype() == DType::float32 && w.dtype() == DType::float32 && x.is_contiguous() &&
            w.is_contiguous() && x.device().is_cpu() && w.device().is_cpu(),
        "convolve_on_rung: needs contiguous float32 tensors of the CPU");
  Tensor y = Tensor::empty({w.size(0), x.size(1), x.size(2)});
  MINI_CPU_KERNEL(convolve_on_rung)(rung, x, w, y);
  return y;
}

}  // namespace mini::ops
