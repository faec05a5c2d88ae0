#include "models/stylegan2/stylegan2.h"

#include <array>

#include "autograd/functions.h"
#include "autograd/node.h"
#include "models/upscale/recognise.h"
#include "ops/elementwise.h"
#include "tensor/view.h"

namespace mini::models {
namespace {

constexpr double tracking = 0.005;  // how far the mean code moves

}  // namespace

std::vector<nn::Field> StyleGan2::fields(Options& options) {
  const nn::Range width = nn::between(1, 4096);
  return {
      {"scale",
       &options.scale,
       "side of the pictures",
       {},
       {"8", "16", "32", "64", "128", "256", "512", "1024"}},
      {"style", &options.style, "numbers of a code", width},
      {"mapping_layers", &options.mapping_layers, "linear layers of the mapping network",
       nn::between(1, 64)},
      {"channel_multiplier", &options.channel_multiplier, "of the channels at 64×64 and above",
       nn::between(1, 16)},
      {"max_channels", &options.max_channels, "most channels of features", width},
  };
}

std::optional<StyleGan2::Options> StyleGan2::recognise(const nn::StateDict& state) {
  constexpr const char *input = "g_ema.input.input", *mapping = "g_ema.style.1.bias";
  if (!state.contains(input) || !state.contains(mapping)) return std::nullopt;
  const auto extent = [&](const std::string& name, int rank, int dim) {
    const auto found = state.find(name);
    check(found != state.end() && found->second.rank() == rank, "model: ", name,
          " is missing or no tensor of ", rank, " dimensions");
    return found->second.size(dim);
  };
  const auto layers = [&](const char* list, const char* member, int first) {
    int count = first;
    while (count < 64 && state.contains(concat_text("g_ema.", list, '.', count, member))) ++count;
    return count - first;
  };
  Options options{.scale = std::int64_t{4} << std::min(layers("to_rgbs", ".bias", 0), 8),
                  .style = extent(mapping, 1, 0),
                  .mapping_layers = layers("style", ".bias", 1),
                  .max_channels = extent(input, 4, 1)};
  if (options.scale >= 64) {  // elsewhere nothing depends on the multiplier
    const std::string last =
        concat_text("g_ema.convs.", 2 * layers("to_rgbs", ".bias", 0) - 1, ".activate.bias");
    // The least that gives as many channels, which max_channels may have limited.
    options.channel_multiplier = (extent(last, 1, 0) * options.scale + 16383) / 16384;
  }
  options.sizes().validate();
  const auto channels = static_cast<double>(options.max_channels);
  const auto style = static_cast<double>(options.style);
  check_plausible(state, 18 * channels * channels + style * style, network);
  return options;
}

StyleGan2::StyleGan2(const Options& options, Generator& generator)
    : synthesis(options.sizes(), generator), options_(options) {
  register_module("g_ema", synthesis);
  register_buffer("latent_avg", latent_avg_ = Tensor::zeros({options.style}));
}

Tensor StyleGan2::upscale(const Tensor& lr, Generator* generator, int /*quality*/) const {
  check(lr.rank() == 4 && lr.size(1) == 3 && lr.size(2) == 1 && lr.size(3) == 1,
        "stylegan2: makes a picture of one pixel [N,3,1,1], got ", lr.shape());
  Generator always{0};
  const Tensor z = ops::normal(generator != nullptr ? *generator : always,
                               {lr.size(0), options_.style}, lr.dtype(), {}, lr.device());
  return synthesis(codes(z), generator).image * 0.5 + 0.5;
}

Tensor StyleGan2::codes(const Tensor& z) const {
  const Tensor w = synthesis.map(z);
  return expand(unsqueeze(w, 1), {w.size(0), synthesis.options().codes(), w.size(1)});
}

Tensor StyleGan2::codes(const Tensor& z, const Tensor& other, std::int64_t crossover) const {
  const Tensor first = codes(z), second = codes(other);
  return concat(
      {narrow(first, 1, 0, crossover), narrow(second, 1, crossover, second.size(1) - crossover)},
      1);
}

void StyleGan2::track_mean(const Tensor& codes) const {
  constexpr std::array<int, 2> all_layers{0, 1};
  const NoGrad no_grad;
  const Tensor difference = mean(codes.detach(), all_layers) - latent_avg_;
  ops::add_(latent_avg_, difference, tracking);
}

}  // namespace mini::models
