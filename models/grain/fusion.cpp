#include "models/grain/fusion.h"

#include "autograd/functions.h"
#include "nn/init.h"
#include "nn/layers.h"

namespace mini::models {
namespace {

constexpr double slope = 0.2;

void append_conv(nn::Sequential& layers, std::int64_t in, std::int64_t out) {
  layers.append<nn::Conv2d>(in, out, 3, nn::same_size(3));
}

}  // namespace

Fusion::Level::Level(std::int64_t features, std::int64_t prior) : se(features + prior) {
  append_conv(conv, features + prior, prior);
  conv.append<nn::LeakyRelu>(slope);
  append_conv(conv, prior, prior);
  conv.append<nn::LeakyRelu>(slope);
}

Fusion::Fusion(const GrainOptions& options, Generator& generator) {
  options.validate();
  std::int64_t channels = 0;
  for (std::size_t i = 0; i < levels; ++i) {
    const std::int64_t prior = options.stylegan2().channels(options.size >> (levels - 1 - i));
    Level& level = *levels_.emplace_back(std::make_unique<Level>(options.features, prior));
    register_module(concat_text("se", i + 1), level.se);
    register_module(concat_text("conv", i + 1), level.conv);
    channels += prior;
  }
  se4_ = std::make_unique<SqueezeExcite>(channels);
  const std::int64_t features = options.features;
  for (const std::int64_t width :
       {2 * features, 2 * features, features, features, std::int64_t{3}}) {
    if (out_.size() > 0) out_.append<nn::LeakyRelu>(slope);
    append_conv(out_, channels, width);
    channels = width;
  }
  register_module("se4", *se4_);
  register_module("out", out_);
  nn::initialise_as_pytorch(*this, generator);
}

Tensor Fusion::operator()(const std::vector<Tensor>& decoder,
                          const std::vector<Tensor>& prior) const {
  check(decoder.size() >= levels && prior.size() >= levels, "fusion: needs ", levels,
        " features of each kind, got ", decoder.size(), " and ", prior.size());
  Tensors fused;
  for (std::size_t i = 0; i < levels; ++i) {
    const Tensor& feature = decoder[decoder.size() - levels + i];
    const Tensor both = concat({feature, prior[prior.size() - levels + i]}, 1);
    const Tensor y = levels_[i]->conv(levels_[i]->se(both));
    const std::int64_t factor = decoder.back().size(2) / feature.size(2);
    fused.push_back(factor == 1 ? y : upsample_nearest(y, factor));
  }
  return out_((*se4_)(concat(fused, 1)));
}

}  // namespace mini::models
