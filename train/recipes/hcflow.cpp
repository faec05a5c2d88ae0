#include "train/recipes/hcflow.h"

#include "autograd/functions.h"

namespace mini::train {
namespace {

const models::HcFlow& as_hcflow(const models::Rescaler& network) {
  const auto* const flow = dynamic_cast<const models::HcFlow*>(&network);
  check(flow != nullptr, "recipe: ", network.name(),
        " is no hierarchical conditional flow, which this recipe trains; choose another "
        "(recipe=...)");
  return *flow;
}

}  // namespace

std::vector<nn::Field> HcFlowRecipe::fields(Options& options) {
  const nn::Range weight = nn::at_least(0);
  return {{"loss.lambda_forw", &options.lambda_forw, "weight of the LR term", weight},
          {"loss.lambda_latent", &options.lambda_latent, "weight of the mean square of the latents",
           weight},
          memory_field(&options.memory)};
}

HcFlowRecipe::HcFlowRecipe(const Options& options, std::shared_ptr<models::Rescaler> network,
                           Generator& /*generator*/)
    : OneNetworkRecipe(std::move(network)), options_(options), flow_(as_hcflow(this->network())) {
  this->network().checkpoint_blocks(options.memory == BlockMemory::checkpoint);
}

Losses HcFlowRecipe::losses(std::size_t /*update*/, const Batch& batch,
                            std::optional<int> /*variant*/, Generator& generator, Share /*share*/) {
  const Tensor& hr = batch.hr;
  const auto down = flow_.forward(hr);
  const Tensor lr = clamp(down.lr, 0, 1);
  const auto noise = [&](const Tensor& like) {
    return ops::normal(generator, like.shape(), like.dtype(), std::nullopt, like.device());
  };
  const Tensor z1 = noise(down.z1), z2 = noise(down.z2);
  const Tensor sr = clamp(flow_.inverse(quantise(lr), z1, z2), 0, 1);

  const Tensor back = mean(abs(sr - hr));
  const Tensor fit = mse_loss(lr, batch.lr_reference) * options_.lambda_forw;
  const auto values = static_cast<double>(down.z1.numel() + down.z2.numel());
  const Tensor latent =
      (sum(square(down.z1)) + sum(square(down.z2))) * (options_.lambda_latent / values);
  return {
      back + fit + latent,
      {{"l_back_rec", back.detach()}, {"l_forw_fit", fit.detach()}, {"l_latent", latent.detach()}}};
}

}  // namespace mini::train
