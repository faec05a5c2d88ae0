// Copying and filling, within a device and between devices. The loops: tensor/cpu/copy.cpp.
#include "tensor/backend.h"
#include "tensor/view.h"

namespace mini::ops {

void copy(const Tensor& from, const Tensor& to) {
  check(from.shape() == to.shape(), "copy: shapes ", from.shape(), " and ", to.shape(), " differ");
  if (from.numel() == 0) return;
  if (from.device() == to.device()) {
    MINI_DISPATCH(to.device(), copy, from, to);
    return;
  }
#ifdef MINI_CUDA
  // Bytes travel as they are: what else there is to do is done on either side.
  const Tensor sent = contiguous(from);
  if (to.is_contiguous() && to.dtype() == from.dtype()) {
    cuda::transfer(sent, to);
  } else {
    const Tensor received = Tensor::empty(from.shape(), from.dtype(), to.device());
    cuda::transfer(sent, received);
    copy(received, to);
  }
#else
  fail_without_cuda();
#endif
}

void fill(const Tensor& x, double value) {
  if (x.numel() > 0) MINI_DISPATCH(x.device(), fill, x, value);
}

}  // namespace mini::ops
