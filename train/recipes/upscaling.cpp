#include "train/recipes/upscaling.h"

#include "autograd/functions.h"

namespace mini::train {
namespace {

Tensor mean_distance(const Tensor& a, const Tensor& b, UpscalingRecipe::Distance distance) {
  const Tensor d = a - b;
  switch (distance) {
    case UpscalingRecipe::Distance::l1:
      return mean(abs(d));
    case UpscalingRecipe::Distance::charbonnier:
      return mean(sqrt(square(d) + 1e-12));
    case UpscalingRecipe::Distance::l2:
      return mean(square(d));
  }
  fail("upscaling: no such distance");
}

}  // namespace

std::vector<nn::Field> UpscalingRecipe::fields(Options& options) {
  return {{"loss.distance",
           nn::choice(&options.distance),
           "of the enlarged image from HR: l1, mean |d|; charbonnier, mean sqrt(d² + 1e-12); l2, "
           "mean d²",
           {},
           {"l1", "charbonnier", "l2"}}};
}

UpscalingRecipe::UpscalingRecipe(const Options& options, std::shared_ptr<models::Rescaler> network,
                                 Generator& /*generator*/)
    : OneNetworkRecipe(std::move(network)), options_(options) {}

Losses UpscalingRecipe::losses(std::size_t /*update*/, const Batch& batch,
                               std::optional<int> /*variant*/, Generator& /*generator*/,
                               Share /*share*/) {
  const Tensor sr = network().upscale(quantise(batch.lr_reference));
  const Tensor loss = mean_distance(sr, batch.hr, options_.distance);
  return {loss, {{"l_distance", loss.detach()}}};
}

}  // namespace mini::train
