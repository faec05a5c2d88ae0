// Sampling from a Gaussian mixture on values, no gradients (SAIN's latent model).
//
//   parameters [3,K]: logits l, means m, log-variances v
//   weights softmax(l), standard deviations exp(clamp(v, -20, 20)/2)
//   exponential (all > 0) and normal [..,K]: noise, K numbers per value drawn
//
// Read next: ops/functors_mixture.h.
#pragma once

#include "tensor/tensor.h"

namespace mini::ops {

// -> [..]: the winner's mean + deviation·normal.
Tensor sample_mixture(const Tensor& parameters, const Tensor& exponential, const Tensor& normal);
// From dz [..] to the gradient of the parameters [3,K], summed in double over fixed blocks. The
// choice counts as its relaxation, softmax(log weights - log exponential), for the logits.
Tensor sample_mixture_gradient(const Tensor& dz, const Tensor& parameters,
                               const Tensor& exponential, const Tensor& normal);

}  // namespace mini::ops
