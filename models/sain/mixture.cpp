#include "models/sain/mixture.h"

#include "autograd/functions.h"
#include "nn/init.h"

namespace mini::models {

GaussianMixture::GaussianMixture(std::int64_t components, Generator& generator)
    : gmm_para_(nn::normal({3, components}, 1e-4, generator)) {
  register_parameter("gmm_para", gmm_para_);
}

Tensor GaussianMixture::sample(const Shape& shape, Generator& generator) const {
  Shape noise = shape;
  noise.push_back(gmm_para_.size(1));
  const Tensor exponential = ops::exponential(generator, noise, gmm_para_.dtype());
  const Tensor normal = ops::normal(generator, noise, gmm_para_.dtype());
  return sample(exponential, normal);
}

Tensor GaussianMixture::sample(const Tensor& exponential, const Tensor& normal) const {
  return sample_mixture(gmm_para_, exponential, normal);
}

}  // namespace mini::models
