#include "train/recipes/adversarial.h"

#include "autograd/engine.h"
#include "autograd/functions.h"

namespace mini::train {

Tensor logistic_discriminator_loss(const Tensor& real, const Tensor& fake) {
  return mean(softplus(neg(real))) + mean(softplus(fake));
}

Tensor logistic_generator_loss(const Tensor& fake) { return mean(softplus(neg(fake))); }

Tensor relativistic_loss(const Tensor& winner, const Tensor& loser) {
  return (mean(softplus(mean(loser) - winner)) + mean(softplus(loser - mean(winner)))) * 0.5;
}

Tensor r1_penalty(const std::function<Tensor(const Tensor&)>& discriminator, const Tensor& real) {
  const Tensor x = real.detach().set_requires_grad();
  const Tensor slope = grad({sum(discriminator(x))}, {x}, {}, {.create_graph = true})[0];
  return sum(square(slope)) / static_cast<double>(x.size(0));
}

}  // namespace mini::train
