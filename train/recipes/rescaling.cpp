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
      {"loss.rate", &options.rate,
       "price of each bit, as jpeg_bits estimates them, by which an LR exceeds the bicubic one: "
       "rate * max(0, bits(LR) - bits(bicubic LR)); 0: bits cost nothing",
       weight},
      {"codec.quality", &options.qualities,
       "of the codec; of a list or \"30..90\" one is drawn (codec.draw)", nn::between(1, 100)},
      {"codec.draw",
       nn::choice(&options.draw),
       "a quality for each step, or for each image of a batch",
       {},
       {"step", "image"}},
      {"memory",
       nn::choice(&options.memory),
       "what is kept for the gradient: exact, a byte per value and layer; reversible, nothing, "
       "with rounding errors; checkpoint, inputs of layers; stored, everything. All but reversible "
       "give the same bits",
       {},
       {"exact", "reversible", "checkpoint", "stored"}},
  };
}

void RescalingRecipe::validate(const Options& options) {
  check(!options.qualities.empty(), "codec.quality: must not be empty");
}

RescalingRecipe::RescalingRecipe(const Options& options, std::shared_ptr<models::Rescaler> network)
    : OneNetworkRecipe(std::move(network)),
      options_(options),
      invertible_(as_invertible(this->network())) {
  validate(options);
  invertible_.set_memory(options.memory);
}

Tensor RescalingRecipe::draw_latent(const Batch& batch, Generator& generator, Share share) const {
  const Tensor& hr = batch.hr;
  const std::int64_t scale = invertible_.scale(), n = hr.size(0);
  const Shape whole{n * share.count, invertible_.latent_channels(), hr.size(2) / scale,
                    hr.size(3) / scale};
  return invertible_.sample_latent(whole, generator, ops::DrawPart{0, share.index * n, n}) *
         options_.latent_scale;
}

int RescalingRecipe::draw_quality(Generator& generator) const {
  const auto choices = static_cast<std::int64_t>(options_.qualities.size());
  return options_.qualities[static_cast<std::size_t>(generator.next_below(choices))];
}

std::vector<int> RescalingRecipe::draw_qualities(const Batch& batch, Generator& generator,
                                                 Share share) const {
  if (options_.draw == Draw::step) return {draw_quality(generator)};
  const std::int64_t n = batch.hr.size(0);
  std::vector<int> whole;  // of all shares
  for (std::int64_t i = 0; i < n * share.count; ++i) whole.push_back(draw_quality(generator));
  const auto first = whole.begin() + share.index * n;
  return {first, first + n};
}

void RescalingRecipe::add_rate(Losses& losses, const Tensor& lr_quantised, const Batch& batch,
                               const std::vector<int>& qualities) const {
  if (options_.rate == 0) return;
  const std::vector<double> at(qualities.begin(), qualities.end());
  const Tensor excess =
      jpeg_bits(lr_quantised, at) - jpeg_bits(quantise(batch.lr_reference), at).detach();
  const Tensor rate = mean(relu(excess)) * options_.rate;
  losses.total = losses.total + rate;
  losses.terms.push_back({"l_rate", rate.detach()});
}

}  // namespace mini::train
