#include "train/recipes/car.h"

#include "autograd/functions.h"

namespace mini::train {
namespace {

const models::Car& as_car(const models::Rescaler& network) {
  const auto* const car = dynamic_cast<const models::Car*>(&network);
  check(car != nullptr, "recipe: ", network.name(),
        " has no network that predicts kernels, which this recipe trains; choose another "
        "(recipe=...)");
  return *car;
}

}  // namespace

std::vector<nn::Field> CarRecipe::fields(Options& options) {
  const nn::Range weight = nn::at_least(0);
  return {{"loss.lambda_variation", &options.lambda_variation,
           "weight of how much the offsets change from pixel to pixel", weight},
          {"loss.lambda_offset", &options.lambda_offset, "weight of the offsets' length", weight},
          memory_field(&options.memory)};
}

CarRecipe::CarRecipe(const Options& options, std::shared_ptr<models::Rescaler> network,
                     Generator& /*generator*/)
    : OneNetworkRecipe(std::move(network)), options_(options), car_(as_car(this->network())) {
  this->network().checkpoint_blocks(options.memory == BlockMemory::checkpoint);
}

Losses CarRecipe::losses(std::size_t /*update*/, const Batch& batch, std::optional<int> /*variant*/,
                         Generator& /*generator*/, Share /*share*/) {
  const Tensor& hr = batch.hr;
  const models::ResamplingKernels kernels = car_.kernel_network()(hr);
  const Tensor lr = quantise(car_.kernel_network().resample(hr, kernels));
  const Tensor distance = mean(abs(car_.upscale(lr) - hr));
  const Tensor variation = models::offset_variation(kernels) * options_.lambda_variation;
  const Tensor offset = models::offset_loss(kernels) * options_.lambda_offset;
  return {distance + variation + offset,
          {{"l_distance", distance.detach()},
           {"l_variation", variation.detach()},
           {"l_offset", offset.detach()}}};
}

}  // namespace mini::train
