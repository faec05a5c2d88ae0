#include "models/sain/mixture.h"

#include <memory>

#include "autograd/checkpoint.h"
#include "autograd/functions.h"
#include "nn/init.h"

namespace mini::models {

GaussianMixture::GaussianMixture(std::int64_t components, Generator& generator)
    : gmm_para_(nn::normal({3, components}, 1e-4, generator)) {
  register_parameter("gmm_para", gmm_para_);
}

Tensor GaussianMixture::sample(const Shape& shape, Generator& generator,
                               std::optional<ops::DrawPart> part) const {
  Shape noise = shape;
  noise.push_back(gmm_para_.size(1));
  // The noise is many times the size of what is drawn with it. Until backward only the stream that
  // it comes from is kept: a copy, so that the caller's may be gone by then.
  const auto stream = std::make_shared<Generator>(generator);
  const Tensors drawn = checkpoint(
      [noise, stream, part](const Tensors& inputs) -> Tensors {
        const Tensor& parameters = inputs[0];
        const Tensor exponential =
            ops::exponential(*stream, noise, parameters.dtype(), part, parameters.device());
        const Tensor normal =
            ops::normal(*stream, noise, parameters.dtype(), part, parameters.device());
        return {sample_mixture(parameters, exponential, normal)};
      },
      {gmm_para_}, stream.get());
  generator = *stream;
  return drawn[0];
}

Tensor GaussianMixture::sample(const Tensor& exponential, const Tensor& normal) const {
  return sample_mixture(gmm_para_, exponential, normal);
}

}  // namespace mini::models
