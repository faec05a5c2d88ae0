// Convolution by cuDNN.
#pragma once

#include "ops/params.h"
#include "tensor/tensor.h"

namespace mini::cuda::dnn {

enum class Direction { forward, input_gradient, weight_gradient };

// Computes y, x or w, as the direction says, from the other two. x [N,C,H,W] and y [N,O,H',W'] of any
// strides, w contiguous; bias [O], contiguous or undefined, is added to y on the way forward. False,
// with nothing computed, where cuDNN has no deterministic way to do it.
bool convolve(Direction direction, const Tensor& x, const Tensor& w, const Tensor& y,
              const Conv2dParams& params, const Tensor& bias = {});

}  // namespace mini::cuda::dnn
