#include "models/grain/grain.h"

#include "autograd/functions.h"
#include "models/upscale/recognise.h"
#include "tensor/view.h"

namespace mini::models {

std::vector<nn::Field> Grain::fields(Options& options) {
  return {
      {"scale", &options.scale, "HR side / LR side", {}, {"64"}},
      {"size", &options.size, "HR side", {}, {"64", "128", "256", "512", "1024"}},
      {"stage",
       &options.stage,
       "of training: 1, InvRRDB; 2, Fea2Code; 3, Fusion; 4, all three",
       {},
       {"1", "2", "3", "4"}},
      {"features", &options.features, "channels of InvRRDB's features", nn::between(1, 4096)},
      {"growth", &options.growth, "channels that each convolution of a dense block adds",
       nn::between(1, 4096)},
      {"code", &options.code, "numbers of a code of StyleGAN2", nn::between(1, 4096)},
      {"max_channels", &options.max_channels, "most channels of StyleGAN2's features",
       nn::between(16, 512)},
  };
}

nn::KeyTable Grain::official_keys() {
  std::vector<nn::KeyTable::Row> rows{{"rescaler", "state_dict1"},
                                      {"fea2code", "state_dict2"},
                                      {"fusion", "state_dict3"},
                                      {"stylegan2", "g_ema"}};
  for (const std::string below : {"state_dict.", ""}) {
    for (const char* part : {"enc", "dec"})
      rows.push_back({concat_text("rescaler.", part), below + part});
    rows.push_back({"fea2code.encoder", below + "encoder"});
    for (const char* part : {"se1", "se2", "se3", "se4", "conv1", "conv2", "conv3", "out"})
      rows.push_back({concat_text("fusion.", part), below + part});
  }
  return nn::KeyTable(std::move(rows));
}

std::optional<GrainOptions> Grain::recognise(const nn::StateDict& given) {
  const nn::StateDict state = official_keys().to_ours(given);
  constexpr const char *first = "rescaler.enc.conv_first.weight",
                       *dense = "rescaler.dec.RRDB_trunk1024.0.RDB1.conv1.weight",
                       *prior = "stylegan2.input.input", *mean_code = "latent_avg";
  if (!state.contains(first) || !state.contains(dense)) return std::nullopt;
  Options options{.stage = state.contains("fusion.out.0.weight") ? 4
                           : state.contains(prior)               ? 2
                                                                 : 1,
                  .features = outputs_of(state, first),
                  .growth = outputs_of(state, dense)};
  const auto features = static_cast<double>(options.features);
  const auto growth = static_cast<double>(options.growth);
  // The encoder's ten RRDBs, each of three dense blocks of five convolutions.
  const double dense_blocks = 30 * 9 * growth * (5 * features + 6 * growth);
  check_plausible(state, dense_blocks, network);
  if (options.stage == 1) return options;  // of any size: InvRRDB has none of its own
  check(state.contains(prior) && state.contains(mean_code) && state.at(prior).rank() == 4,
        "model: the weights are of GRAIN, but lack ", prior, " or ", mean_code);
  options.code = state.at(mean_code).numel();
  options.max_channels = state.at(prior).size(1);
  options.size = 4;
  for (int j = 0; j < 8 && state.contains(concat_text("stylegan2.to_rgbs.", j, ".bias")); ++j)
    options.size *= 2;
  options.validate();
  const auto code = static_cast<double>(options.code);
  const auto channels = static_cast<double>(options.max_channels);
  // The mapping network, and StyleGAN2's first two convolutions.
  check_plausible(state, dense_blocks + 8 * code * code + 18 * channels * channels, network);
  return options;
}

Grain::Grain(const Options& options, Generator& generator)
    : rescaler(options, generator), options_(options) {
  options.validate();
  register_module("rescaler", rescaler);
  if (options.stage < 2) return;
  fea2code = std::make_unique<Fea2Code>(options, generator);
  stylegan2 = std::make_unique<StyleGan2Generator>(options.stylegan2(), generator);
  register_module("fea2code", *fea2code);
  register_module("stylegan2", *stylegan2);
  register_buffer("latent_avg", latent_avg_ = Tensor::zeros({options.code}));
  if (options.stage < 3) return;
  fusion = std::make_unique<Fusion>(options, generator);
  register_module("fusion", *fusion);
}

void Grain::set_mean_code(const Tensor& code) {
  const bool repeated = code.rank() == 2 && code.size(0) > 0;
  const Tensor one = repeated ? ops::select(code, 0, 0) : code;
  check(one.shape() == latent_avg_.shape(), "grain: the mean code has shape ", code.shape(),
        ", expected ", latent_avg_.shape());
  ops::copy(one, latent_avg_);
}

Tensor Grain::downscale(const Tensor& hr) const {
  return quantise_lr(rescaler.encoder(hr * 2.0 - 1.0)) * 0.5 + 0.5;
}

Tensor Grain::upscale(const Tensor& lr, Generator* generator, int /*quality*/) const {
  return decode(lr * 2.0 - 1.0, generator).best() * 0.5 + 0.5;
}

Grain::Pictures Grain::decode(const Tensor& lr, Generator* generator) const {
  auto [decoded, features] = rescaler.decoder(lr);
  Pictures pictures{.decoded = decoded, .prior = {}, .fused = {}};
  if (!fea2code) return pictures;
  const auto prior = (*stylegan2)((*fea2code)(features) + latent_avg_, generator);
  pictures.prior = prior.image;
  if (fusion) pictures.fused = (*fusion)(features, prior.features);
  return pictures;
}

}  // namespace mini::models
