#include "train/recipes/rescaling.h"

#include "autograd/functions.h"

namespace mini::train {
namespace {

models::InvertibleRescaler& as_invertible(models::Rescaler& network) {
  auto* const invertible = dynamic_cast<models::InvertibleRescaler*>(&network);
  check(invertible != nullptr, "recipe: ", network.name(),
        " is not invertible, which this recipe needs; choose another (recipe=...)");
  return *invertible;
}

}  // namespace

std::vector<nn::Field> RescalingRecipe::fields(Options& options) {
  const nn::Range weight = nn::at_least(0);
  return {
      {"loss.lambda_back", &options.lambda_back, "weight of the reconstruction", weight},
      {"loss.lambda_forw", &options.lambda_forw,
       "weight of the LR terms; the papers: 4 (x2), 16 (x4)", weight},
      {"loss.latent_scale", &options.latent_scale, "factor of the latent sample", weight},
      {"memory",
       nn::choice(&options.memory),
       "what is kept for the gradient: exact, a byte per value and layer; reversible, nothing, "
       "with rounding errors; checkpoint, inputs of layers; stored, everything. All but reversible "
       "give the same bits",
       {},
       {"exact", "reversible", "checkpoint", "stored"}},
  };
}

RescalingRecipe::RescalingRecipe(const Options& options, std::shared_ptr<models::Rescaler> network)
    : OneNetworkRecipe(std::move(network)),
      invertible_(as_invertible(this->network())),
      latent_scale_(options.latent_scale) {
  invertible_.set_memory(options.memory);
}

Tensor RescalingRecipe::draw_latent(const Batch& batch, Generator& generator, Share share) const {
  const Tensor& hr = batch.hr;
  const std::int64_t scale = invertible_.scale(), n = hr.size(0);
  const Shape whole{n * share.count, invertible_.latent_channels(), hr.size(2) / scale,
                    hr.size(3) / scale};
  return invertible_.sample_latent(whole, generator, ops::DrawPart{0, share.index * n, n}) *
         latent_scale_;
}

}  // namespace mini::train
