#include "ops/optimizer.h"

#include "ops/kernels.h"
#include "tensor/view.h"

namespace mini::ops {

Tensor adam_steps(std::span<const AdamStep> steps, Device device) {
  std::vector<double> values;
  for (const AdamStep& step : steps)
    values.insert(values.end(),
                  {step.gradient_scale, step.shrink, step.step_size, step.root_correction});
  return to_device(Tensor::from(values, {std::ssize(steps), 4}), device);
}

void adam_(std::span<const AdamSlot> slots, const AdamParams& params, const Tensor& steps) {
  if (slots.empty()) return;
  check(steps.dtype() == DType::float64 && steps.shape() == Shape({std::ssize(slots), 4}) &&
            steps.is_contiguous(),
        "adam: ", slots.size(), " slots need steps float64[", slots.size(), ",4], got ",
        steps.dtype(), steps.shape());
  for (const auto& [parameter, gradient, mean, square] : slots) {
    for (const Tensor* x : {&gradient, &mean, &square}) {
      check(x->shape() == parameter.shape(), "adam: the parameter is ", parameter.shape(),
            ", its gradient or moment ", x->shape());
      check(x->dtype() == parameter.dtype(), "adam: the parameter is ", parameter.dtype(),
            ", its gradient or moment ", x->dtype(), "; cast it");
      check(x->device() == steps.device(), "adam: the steps are on ", steps.device(),
            ", a gradient or moment on ", x->device());
    }
    check(parameter.device() == steps.device(), "adam: the steps are on ", steps.device(),
          ", a parameter on ", parameter.device());
    check(parameter.is_dense() && mean.strides() == parameter.strides() &&
              square.strides() == parameter.strides(),
          "adam: a parameter ", parameter.shape(),
          " has gaps, or its moments another memory order; make them with empty_like");
  }
  MINI_DISPATCH(steps.device(), adam, slots, params, steps);
}

Tensor sum_of_squares(std::span<const Tensor> xs) {
  check(!xs.empty(), "sum_of_squares: no tensors");
  const Device device = xs.front().device();
  for (const Tensor& x : xs)
    check(x.device() == device, "sum_of_squares: tensors are on ", device, " and ", x.device());
  Tensor y = Tensor::empty({}, DType::float64, device);
  MINI_DISPATCH(device, sum_of_squares, xs, y);
  return y;
}

}  // namespace mini::ops
