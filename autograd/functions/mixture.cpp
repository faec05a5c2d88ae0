// Samples of a Gaussian mixture, with gradients of its parameters. The choice of a component is
// discrete. Straight-through Gumbel-softmax (E. Jang, S. Gu, B. Poole, "Categorical
// reparameterization with Gumbel-softmax", 2017) makes a hard choice in the forward pass and uses
// the gradient of a soft one.
#include "ops/mixture.h"

#include "autograd/functions.h"
#include "autograd/node.h"

namespace mini {
namespace {

// The definition, composed of functions of the catalogue.
Tensor composed_sample(const Tensor& parameters, const Tensor& exponential, const Tensor& normal) {
  const Tensor means = select(parameters, 0, 1);
  const Tensor deviations = exp(clamp(select(parameters, 0, 2), -20, 20) * 0.5);
  const Tensor scores = log_softmax(select(parameters, 0, 0), 0) - log(exponential);
  const Tensor soft = softmax(scores, -1);
  const Tensor hard = one_hot(argmax(scores, -1), parameters.size(1), parameters.dtype());
  const Tensor choice = hard + (soft - soft.detach());  // hard in value, soft in gradient
  const int last = -1;
  return sum(choice * (means + deviations * normal), {&last, 1});
}

}  // namespace

Tensor sample_mixture(const Tensor& parameters, const Tensor& exponential, const Tensor& normal) {
  // The noise is a constant: it gets no gradient, and its graph is not kept.
  return record("sample_mixture", {parameters},
                ops::sample_mixture(parameters, exponential, normal),
                [parameters, exponential = exponential.detach(), normal = normal.detach()](
                    const Backward& context, const Tensor& dz) -> Tensors {
                  if (!grad_enabled())
                    return {ops::sample_mixture_gradient(dz, parameters, exponential, normal)};
                  return context.replay({composed_sample(parameters, exponential, normal)}, {dz});
                });
}

}  // namespace mini
