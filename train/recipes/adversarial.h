// What networks that learn from each other minimise: a generator, whose pictures are fake, and a
// discriminator, which gives logits.
#pragma once

#include <functional>

#include "tensor/tensor.h"

namespace mini::train {

// Logistic losses (I. Goodfellow et al., "Generative adversarial networks", NeurIPS 2014, the
// generator's not saturating).
Tensor logistic_discriminator_loss(const Tensor& real, const Tensor& fake);
Tensor logistic_generator_loss(const Tensor& fake);

// Of the relativistic average discriminator (A. Jolicoeur-Martineau, "The relativistic discriminator:
// a key element missing from standard GAN", ICLR 2019): whether `winner` is more real than the
// average of `loser`, and the reverse. The discriminator's has the real logits as winner, the
// generator's the fake ones.
Tensor relativistic_loss(const Tensor& winner, const Tensor& loser);

// R1 (L. Mescheder, A. Geiger, S. Nowozin, "Which training methods for GANs do actually converge?",
// ICML 2018): the batch mean of ‖∇_x D(x)‖² at real pictures. Its gradient is a second derivative.
Tensor r1_penalty(const std::function<Tensor(const Tensor&)>& discriminator, const Tensor& real);

}  // namespace mini::train
