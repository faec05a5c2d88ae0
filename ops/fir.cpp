#include "ops/fir.h"

#include <array>

#include "ops/kernels.h"
#include "tensor/view.h"

namespace mini::ops {

Tensor upfirdn2d(const Tensor& x, const Tensor& kernel, const FirParams& params) {
  const Shape shape = params.output_shape(x.shape(), kernel.shape());
  check(x.dtype() == kernel.dtype() && x.device() == kernel.device(), "upfirdn2d: x is ", x.dtype(),
        " on ", x.device(), ", the kernel ", kernel.dtype(), " on ", kernel.device());
  constexpr std::array<int, 4> last{0, 2, 3, 1}, second{0, 3, 1, 2};  // where the channels go
  const Tensor y = Tensor::empty({shape[0], shape[2], shape[3], shape[1]}, x.dtype(), x.device());
  if (y.numel() > 0)
    MINI_DISPATCH(x.device(), upfirdn2d, contiguous(permute(x, last)), contiguous(kernel), y,
                  params);
  return permute(y, second);
}

}  // namespace mini::ops
