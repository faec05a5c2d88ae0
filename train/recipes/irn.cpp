#include "train/recipes/irn.h"

#include "autograd/functions.h"

namespace mini::train {

std::vector<nn::Field> IrnRecipe::fields(Options& options) {
  std::vector<nn::Field> fields = RescalingRecipe::fields(options);
  for (nn::Field& field : fields)
    if (field.path == "codec.quality")
      field.help =
          "at which loss.rate counts bits; of a list or \"30..90\" one is drawn (codec.draw)";
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

std::optional<int> IrnRecipe::variant(std::size_t /*update*/, Generator& /*generator*/) const {
  return options_.rate == 0 ? std::optional(0) : std::nullopt;
}

Losses IrnRecipe::losses(std::size_t /*update*/, const Batch& batch, std::optional<int> /*variant*/,
                         Generator& generator, Share share) {
  const auto& [hr, lr_reference] = batch;
  const Tensor condition = invertible().condition({models::lossless});
  const models::FlowResult down = invertible().forward(hr, false, condition);
  const Tensor lr_quantised = quantise(down.lr);
  const Tensor z = draw_latent(batch, generator, share);
  const models::FlowResult up =
      invertible().inverse(concat({lr_quantised, z}, 1), false, condition);

  const Tensor latent = narrow(down.out, 1, models::image_channels, z.size(1));
  const Tensor fit = l2_loss(down.lr, lr_reference) * options_.lambda_forw;
  const Tensor prior =
      sum(square(latent)) * (0.5 * options_.lambda_prior / static_cast<double>(hr.size(0)));
  const Tensor back =
      l1_loss(narrow(up.out, 1, 0, models::image_channels), hr) * options_.lambda_back;
  Losses losses{
      back + fit + prior,
      {{"l_forw_fit", fit.detach()}, {"l_prior", prior.detach()}, {"l_back_rec", back.detach()}}};
  if (options_.rate > 0)
    add_rate(losses, lr_quantised, batch, draw_qualities(batch, generator, share));
  return losses;
}

}  // namespace mini::train
