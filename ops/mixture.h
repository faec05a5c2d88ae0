// Samples of a Gaussian mixture, without gradients (SAIN's latent model).
//
//   parameters [3,K]: logits l, means m, log-variances v
//   weights softmax(l), standard deviations exp(clamp(v, -20, 20)/2)
//   exponential (all > 0) and normal [..,K]: the noise, K numbers per value drawn
//
// Read next: ops/functors_mixture.h.
#pragma once

#include "tensor/tensor.h"

namespace mini::ops {

// Returns mean + deviation·normal of the chosen component: [..].
Tensor sample_mixture(const Tensor& parameters, const Tensor& exponential, const Tensor& normal);
// The gradient of the parameters [3,K] for dz [..], summed in double over fixed blocks. For the
// logits, the choice is replaced by its relaxation softmax(log weights - log exponential).
Tensor sample_mixture_gradient(const Tensor& dz, const Tensor& parameters,
                               const Tensor& exponential, const Tensor& normal);

}  // namespace mini::ops
