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
  std::vector<nn::Field> fields = codec_fields(options.codec);
  fields.push_back({"loss.distance",
                    nn::choice(&options.distance),
                    "of the enlarged image from HR: l1, mean |d|; charbonnier, mean sqrt(d² + "
                    "1e-12); l2, mean d²",
                    {},
                    {"l1", "charbonnier", "l2"}});
  fields.push_back(memory_field(&options.memory));
  return fields;
}

UpscalingRecipe::UpscalingRecipe(const Options& options, std::shared_ptr<models::Rescaler> network,
                                 Generator& /*generator*/)
    : OneNetworkRecipe(std::move(network)), options_(options) {
  this->network().checkpoint_blocks(options.memory == BlockMemory::checkpoint);
}

std::optional<int> UpscalingRecipe::variant(std::size_t /*update*/, Generator& generator) const {
  return draw_quality(options_.codec, generator);
}

Losses UpscalingRecipe::losses(std::size_t /*update*/, const Batch& batch,
                               std::optional<int> variant, Generator& /*generator*/,
                               Share /*share*/) {
  Tensor lr = quantise(batch.lr_reference);
  if (const auto format = options_.codec.format)
    lr = through_codec(HostCopy(lr), lr, *format, {*variant});
  const Tensor loss = mean_distance(network().upscale(lr), batch.hr, options_.distance);
  return {loss, {{"l_distance", loss.detach()}}};
}

}  // namespace mini::train
