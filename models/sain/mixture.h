// GaussianMixture: SAIN's model of what compression and downscaling lose, from which the upscaler's
// latent is drawn. `gmm_para` [3,K]: logits, means, log-variances.
#pragma once

#include "nn/module.h"
#include "tensor/random.h"

namespace mini::models {

class GaussianMixture : public nn::Module {
 public:
  GaussianMixture(std::int64_t components, Generator& generator);

  // One value per element; differentiable in gmm_para. Backward draws the same noise again. With a
  // part, only that of the draw for the whole shape (tensor/random.h).
  Tensor sample(const Shape& shape, Generator& generator,
                std::optional<ops::DrawPart> part = {}) const;
  // From given noise of shape [.., K]: exponential(1) and normal(0, 1).
  Tensor sample(const Tensor& exponential, const Tensor& normal) const;

 private:
  Tensor gmm_para_;
};

}  // namespace mini::models
