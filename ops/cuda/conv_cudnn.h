// Convolution by cuDNN.
#pragma once

#include "ops/params.h"
#include "tensor/tensor.h"

namespace mini::cuda::dnn {

enum class Direction { forward, input_gradient, weight_gradient };

// Computes y, x or w, according to the direction, from the other two. x [N,C,H,W] and y [N,O,H',W']
// may have any strides; w is contiguous. In the forward direction, bias [O], contiguous or
// undefined, is added to y. Returns false, with nothing computed, if cuDNN has no deterministic
// algorithm for this.
bool convolve(Direction direction, const Tensor& x, const Tensor& w, const Tensor& y,
              const Conv2dParams& params, const Tensor& bias = {});

}  // namespace mini::cuda::dnn
