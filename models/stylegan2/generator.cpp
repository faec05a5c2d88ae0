#include "models/stylegan2/generator.h"

#include "autograd/functions.h"
#include "nn/init.h"

namespace mini::models {
namespace {

class PixelNorm : public nn::Layer {
 public:
  Tensor operator()(const Tensor& x) const override { return pixel_norm(x); }
};

constexpr double mapping_lr = 0.01;  // the mapping network learns so much slower

}  // namespace

StyleGan2Generator::StyleGan2Generator(const StyleGan2Options& options, Generator& generator)
    : options_(options) {
  options.validate();
  mapping_.append<PixelNorm>();
  for (std::int64_t i = 0; i < options.mapping_layers; ++i)
    mapping_.append<EqualLinear>(
        options.style, options.style,
        EqualLinear::Options{.lr_mul = mapping_lr, .activation = Activation::leaky_relu},
        generator);
  register_module("style", mapping_);

  std::int64_t channels = options.channels(4);
  register_parameter("input.input", input_ = nn::normal({1, channels, 4, 4}, 1, generator));
  conv1_ =
      std::make_unique<StyledConv>(channels, channels, options.style, Resampling::same, generator);
  to_rgb1_ = std::make_unique<ToRgb>(channels, options.style, true, generator);
  register_module("conv1", *conv1_);
  register_module("to_rgb1", *to_rgb1_);
  for (std::int64_t side = 8; side <= options.size; side *= 2) {
    const std::int64_t next = options.channels(side);
    convs_.push_back(
        std::make_unique<StyledConv>(channels, next, options.style, Resampling::up, generator));
    convs_.push_back(
        std::make_unique<StyledConv>(next, next, options.style, Resampling::same, generator));
    to_rgbs_.push_back(std::make_unique<ToRgb>(next, options.style, false, generator));
    channels = next;
  }
  for (std::size_t i = 0; i < convs_.size(); ++i)
    register_module(concat_text("convs.", i), *convs_[i]);
  for (std::size_t i = 0; i < to_rgbs_.size(); ++i)
    register_module(concat_text("to_rgbs.", i), *to_rgbs_[i]);

  noises_.resize(1 + convs_.size());  // before registering: buffers are known by their addresses
  for (std::size_t i = 0; i < noises_.size(); ++i) {
    const std::int64_t side = std::int64_t{4} << (i + 1) / 2;
    register_buffer(concat_text("noises.noise_", i),
                    noises_[i] = nn::normal({1, 1, side, side}, 1, generator));
  }
}

Tensor StyleGan2Generator::noise(std::size_t i, std::int64_t samples, std::int64_t side,
                                 Generator* random) const {
  if (random == nullptr) return noises_[i];
  return ops::normal(*random, {samples, 1, side, side}, input_.dtype(), {}, input_.device());
}

StyleGan2Generator::Result StyleGan2Generator::operator()(const Tensor& codes,
                                                          Generator* random) const {
  check(codes.rank() == 3 && codes.size(1) == options_.codes() && codes.size(2) == options_.style,
        "stylegan2: needs codes [N,", options_.codes(), ",", options_.style, "], got ",
        codes.shape());
  const std::int64_t samples = codes.size(0);
  const auto code = [&](std::size_t i) { return select(codes, 1, static_cast<std::int64_t>(i)); };
  Shape constant = input_.shape();
  constant[0] = samples;

  Result result;
  Tensor x = (*conv1_)(expand(input_, constant), code(0), noise(0, samples, 4, random));
  result.image = (*to_rgb1_)(x, code(1), {});
  result.features.push_back(x);
  for (std::size_t j = 0; j < to_rgbs_.size(); ++j) {
    const std::int64_t side = std::int64_t{8} << j;
    for (std::size_t i = 2 * j; i < 2 * j + 2; ++i)
      x = (*convs_[i])(x, code(i + 1), noise(i + 1, samples, side, random));
    result.image = (*to_rgbs_[j])(x, code(2 * j + 3), result.image);
    result.features.push_back(x);
  }
  return result;
}

}  // namespace mini::models
