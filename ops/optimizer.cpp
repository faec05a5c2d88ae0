#include "ops/optimizer.h"

#include "ops/kernels.h"
#include "tensor/view.h"

namespace mini::ops {

void adam_(const Tensor& parameter, const Tensor& gradient, const Tensor& mean,
           const Tensor& square, const AdamStep& step) {
  for (const Tensor* x : {&gradient, &mean, &square}) {
    check(x->shape() == parameter.shape(), "adam: the parameter is ", parameter.shape(),
          ", its gradient or moment ", x->shape());
    check(x->dtype() == parameter.dtype(), "adam: the parameter is ", parameter.dtype(),
          ", its gradient or moment ", x->dtype(), "; cast it");
  }
  MINI_DISPATCH(parameter.device(), adam, parameter, gradient, mean, square, step);
}

double sum_of_squares(const Tensor& x) {
  return MINI_DISPATCH(x.device(), sum_of_squares, contiguous(x));
}

}  // namespace mini::ops
