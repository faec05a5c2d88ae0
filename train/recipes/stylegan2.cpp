#include "train/recipes/stylegan2.h"

#include <array>
#include <cmath>

#include "autograd/engine.h"
#include "autograd/functions.h"
#include "ops/elementwise.h"
#include "tensor/view.h"
#include "train/recipes/adversarial.h"

namespace mini::train {
namespace {

constexpr std::int64_t r1_every = 16, path_every = 4;
constexpr double path_tracking = 0.01;  // how far the mean of path lengths moves

models::StyleGan2& as_stylegan2(models::Rescaler& network) {
  auto* const stylegan2 = dynamic_cast<models::StyleGan2*>(&network);
  check(stylegan2 != nullptr, "recipe: ", network.name(),
        " is not a StyleGAN2, which this recipe trains");
  return *stylegan2;
}

std::vector<nn::NamedTensor> named(const nn::Module& module, const std::string& prefix) {
  std::vector<nn::NamedTensor> result = module.named_parameters();
  for (nn::NamedTensor& parameter : result) parameter.name.insert(0, prefix);
  return result;
}

}  // namespace

void StyleGan2Recipe::All::add(nn::Module& discriminator) {
  register_module("d", discriminator);
  register_buffer("path_length", path_length);
}

std::vector<nn::Field> StyleGan2Recipe::fields(Options& options) {
  return {
      {"loss.r1_gamma", &options.r1_gamma, "weight of R1; the paper: 10 at 1024×1024",
       nn::at_least(0)},
      {"loss.path_weight", &options.path_weight, "weight of the path length", nn::at_least(0)},
      {"loss.mixing", &options.mixing, "how often the layers have the codes of two z",
       nn::between(0, 1)},
  };
}

StyleGan2Recipe::StyleGan2Recipe(const Options& options, std::shared_ptr<models::Rescaler> network,
                                 Generator& generator)
    : options_(options),
      network_(std::move(network)),
      stylegan2_(as_stylegan2(*network_)),
      all_(*network_),
      discriminator_(stylegan2_.options().sizes(), generator) {
  all_.add(discriminator_);
}

std::vector<Update> StyleGan2Recipe::updates() const {
  const auto generator = named(stylegan2_, "network."), discriminator = named(discriminator_, "d.");
  std::vector<Update> updates{{"generator", generator, "generator"},
                              {"discriminator", discriminator, "discriminator"},
                              {"r1", discriminator, "discriminator", r1_every}};
  if (options_.path_weight > 0) updates.push_back({"path", generator, "generator", path_every});
  return updates;
}

std::optional<int> StyleGan2Recipe::variant(std::size_t update, Generator& generator) const {
  const std::int64_t codes = stylegan2_.synthesis.options().codes();
  if (update == r1_update) return 0;
  const bool mixes = generator.next_uniform() < options_.mixing;
  return static_cast<int>(mixes ? 1 + generator.next_below(codes - 1) : codes);
}

Tensor StyleGan2Recipe::draw_codes(const Batch& batch, int crossover, Generator& generator) const {
  const auto draw = [&] {
    return ops::normal(generator, {batch.hr.size(0), stylegan2_.options().style}, batch.hr.dtype(),
                       {}, batch.hr.device());
  };
  const Tensor z = draw();
  if (crossover == stylegan2_.synthesis.options().codes()) return stylegan2_.codes(z);
  return stylegan2_.codes(z, draw(), crossover);
}

Losses StyleGan2Recipe::losses(std::size_t update, const Batch& batch, std::optional<int> variant,
                               Generator& generator, Share /*share*/) {
  const Tensor real = batch.hr * 2.0 - 1.0;
  const auto fake = [&] {
    const Tensor codes = draw_codes(batch, *variant, generator);
    if (update == generator_update) stylegan2_.track_mean(codes);
    return stylegan2_.synthesis(codes, &generator).image;
  };
  switch (update) {
    case generator_update:
      return {logistic_generator_loss(discriminator_(fake())), {}};
    case discriminator_update: {
      const Tensor of_real = discriminator_(real), of_fake = discriminator_(fake());
      return {logistic_discriminator_loss(of_real, of_fake),
              {{"real", mean(of_real).detach()}, {"fake", mean(of_fake).detach()}}};
    }
    case r1_update: {
      const Tensor r1 = r1_penalty([&](const Tensor& x) { return discriminator_(x); }, real);
      return {r1 * (options_.r1_gamma / 2 * static_cast<double>(r1_every)), {{"r1", r1.detach()}}};
    }
    default:
      return path_losses(batch, *variant, generator);
  }
}

Losses StyleGan2Recipe::path_losses(const Batch& batch, int crossover, Generator& generator) {
  constexpr std::array<int, 1> styles{2}, layers{1};
  const Tensor codes = draw_codes(batch, crossover, generator);
  const Tensor image = stylegan2_.synthesis(codes, &generator).image;
  const double pixels = static_cast<double>(image.size(2) * image.size(3));
  const Tensor noise = ops::normal(generator, image.shape(), image.dtype(), {}, image.device()) *
                       (1 / std::sqrt(pixels));
  const Tensor slope = grad({sum(image * noise)}, {codes}, {}, {.create_graph = true})[0];
  const Tensor lengths = sqrt(mean(sum(square(slope), styles), layers));  // of each sample
  const Tensor average = mean(lengths).detach();
  ops::add_(all_.path_length, ops::binary(Binary::sub, average, all_.path_length), path_tracking);
  const Tensor penalty = mean(square(lengths - ops::clone(all_.path_length)));
  return {penalty * (options_.path_weight * static_cast<double>(path_every)),
          {{"length", average}, {"penalty", penalty.detach()}}};
}

}  // namespace mini::train
