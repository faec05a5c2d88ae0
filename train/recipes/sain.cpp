#include "train/recipes/sain.h"

#include "autograd/functions.h"
#include "tensor/queue.h"
#include "train/recipes/codec.h"

namespace mini::train {
namespace {

Tensor image_part(const Tensor& x) { return narrow(x, 1, 0, models::image_channels); }

}  // namespace

std::vector<nn::Field> SainRecipe::fields(Options& options) {
  std::vector<nn::Field> fields = RescalingRecipe::fields(options);
  fields.push_back(
      {"codec.format", nn::choice(&options.format), "the codec trained for", {}, {"jpeg", "webp"}});
  return fields;
}

SainRecipe::SainRecipe(const Options& options, std::shared_ptr<models::Rescaler> network,
                       Generator& /*generator*/)
    : RescalingRecipe(options, std::move(network)), options_(options) {}

std::optional<int> SainRecipe::variant(std::size_t /*update*/, Generator& generator) const {
  if (!replayable()) return std::nullopt;
  return draw_quality(generator);
}

Losses SainRecipe::losses(std::size_t /*update*/, const Batch& batch, std::optional<int> variant,
                          Generator& generator, Share share) {
  const std::vector<int> qualities =
      variant ? std::vector{*variant} : draw_qualities(batch, generator, share);
  return losses(batch, draw_latent(batch, generator, share), qualities);
}

Losses SainRecipe::losses(const Batch& batch, const Tensor& z,
                          const std::vector<int>& qualities) const {
  // The codec copies its inputs, and its results are awaited only when all of the network's work is
  // queued. So a GPU computes while the CPU compresses.
  const auto codec = [format = options_.format, qualities](const HostCopy& x, const Tensor& like) {
    return through_codec(x, like, format, qualities);
  };
  const auto& [hr, lr_reference] = batch;
  const HostCopy sent_reference(lr_reference);
  const Tensor condition = invertible().condition(qualities);
  const models::FlowResult down = invertible().forward(hr, false, condition);
  const Tensor compressed = image_part(down.out);
  const Tensor lr_quantised = quantise(down.lr);
  const HostCopy sent(lr_quantised.detach());
  const Tensor lr_simulated =
      diff_jpeg(lr_quantised, std::vector<double>(qualities.begin(), qualities.end()));
  const models::FlowResult up =
      invertible().inverse(concat({lr_simulated, z}, 1), false, condition);

  const double forw = options_.lambda_forw;
  const Tensor fit_lr = l2_loss(down.lr, lr_reference) * forw;
  const Tensor fit_compressed = l2_loss(compressed, codec(sent_reference, lr_reference)) * forw;
  const Tensor reg = l2_loss(lr_quantised, up.lr) * forw;
  const Tensor rel = l2_loss(compressed, codec(sent, lr_quantised)) * forw;
  const Tensor back = l1_loss(image_part(up.out), hr) * options_.lambda_back;

  Losses losses{back + (fit_lr + fit_compressed + reg + rel) * 0.25,
                {{"l_forw_fit1", fit_lr.detach()},
                 {"l_forw_fit2", fit_compressed.detach()},
                 {"l_reg", reg.detach()},
                 {"l_rel", rel.detach()},
                 {"l_back_rec", back.detach()}}};
  add_rate(losses, lr_quantised, batch, qualities);
  return losses;
}

}  // namespace mini::train
