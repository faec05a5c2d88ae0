#include "train/recipes/irn.h"

#include "autograd/functions.h"

namespace mini::train {

std::vector<nn::Field> IrnRecipe::fields(Options& options) {
  std::vector<nn::Field> fields = RescalingRecipe::fields(options);
  fields.push_back({"loss.lambda_prior", &options.lambda_prior, "weight of the latent's prior",
                    nn::at_least(0)});
  fields.push_back({"codec.format",
                    nn::choice(&options.format),
                    "the codec that its LRs will go through, in validation; none in training",
                    {},
                    {"jpeg", "webp"}});
  return fields;
}

IrnRecipe::IrnRecipe(const Options& options, std::shared_ptr<models::Rescaler> network,
                     Generator& /*generator*/)
    : RescalingRecipe(options, std::move(network)), options_(options) {}

Losses IrnRecipe::losses(std::size_t /*update*/, const Batch& batch, std::optional<int> /*variant*/,
                         Generator& generator, Share share) {
  const auto& [hr, lr_reference] = batch;
  const models::FlowResult down = invertible().forward(hr);
  const Tensor z = draw_latent(batch, generator, share);
  const models::FlowResult up = invertible().inverse(concat({quantise(down.lr), z}, 1));

  const Tensor latent = narrow(down.out, 1, models::image_channels, z.size(1));
  const Tensor fit = l2_loss(down.lr, lr_reference) * options_.lambda_forw;
  const Tensor prior =
      sum(square(latent)) * (0.5 * options_.lambda_prior / static_cast<double>(hr.size(0)));
  const Tensor back =
      l1_loss(narrow(up.out, 1, 0, models::image_channels), hr) * options_.lambda_back;
  return {
      back + fit + prior,
      {{"l_forw_fit", fit.detach()}, {"l_prior", prior.detach()}, {"l_back_rec", back.detach()}}};
}

}  // namespace mini::train
