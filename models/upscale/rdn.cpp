#include "models/upscale/rdn.h"

#include "autograd/functions.h"
#include "models/invertible/recognise.h"
#include "models/upscale/recognise.h"
#include "models/upscale/residual_dense_block.h"
#include "models/upscale/upsampler.h"
#include "nn/init.h"

namespace mini::models {

std::vector<nn::Field> Rdn::fields(Options& options) {
  return {
      {"scale", &options.scale, "HR side / LR side", {}, {"2", "3", "4"}},
      {"blocks", &options.blocks, "residual dense blocks; 16 of 8 layers (B) or 20 of 6 (A)",
       nn::between(1, 1000)},
      {"layers", &options.layers, "layers of a block", nn::between(1, 1000)},
      {"growth", &options.growth, "channels that each layer adds; 64 (B) or 32 (A)",
       nn::between(1, 4096)},
      {"features", &options.features, "channels between the blocks", nn::between(1, 4096)},
      {"range", &options.range, "value of white inside the network", nn::more_than(0)},
      {"mean_shift", &options.mean_shift,
       "take the mean colour away first, as the authors' code does and EDSR-PyTorch's does not"},
  };
}

std::optional<RdnOptions> Rdn::recognise(const nn::StateDict& state) {
  if (!state.contains("SFENet1.weight") || !state.contains("GFF.0.weight")) return std::nullopt;
  Options options{.blocks = count_blocks(state, "RDBs", "LFF.weight"),
                  .layers = count_blocks(state, "RDBs.0.convs", "conv.0.weight"),
                  .growth = outputs_of(state, "RDBs.0.convs.0.conv.0.weight"),
                  .features = outputs_of(state, "SFENet1.weight")};
  options.scale = shuffled_scale(state, "UPNet", 1, options.growth);
  options.mean_shift = state.contains("sub_mean.bias");  // in files of mini
  const auto layers = static_cast<double>(options.layers * options.blocks);
  const auto growth = static_cast<double>(options.growth);
  const auto features = static_cast<double>(options.features);
  check_plausible(
      state,
      9 * growth * layers * (features + growth * static_cast<double>(options.layers - 1) / 2),
      network);
  return options;
}

std::vector<std::string> Rdn::untold(const nn::StateDict& /*state*/) {
  return {"range", "mean_shift"};
}

Rdn::Rdn(const Options& options, Generator& generator)
    : Upscaler(options.scale),
      range_(options.range),
      mean_shift_(options.mean_shift),
      sub_mean_(-options.range),
      add_mean_(options.range),
      shallow1_(3, options.features, 3, nn::same_size(3)),
      shallow2_(options.features, options.features, 3, nn::same_size(3)) {
  check(options.blocks > 0 && options.layers > 0 && options.growth > 0 && options.features > 0,
        "rdn: blocks, layers, growth and features must be above 0");
  const std::int64_t features = options.features;
  for (std::int64_t i = 0; i < options.blocks; ++i)
    blocks_.append<ResidualDenseBlock>(features, options.growth, options.layers);
  fusion_.append<nn::Conv2d>(options.blocks * features, features, 1);
  fusion_.append<nn::Conv2d>(features, features, 3, nn::same_size(3));
  std::int64_t channels = features;
  for (const std::int64_t factor : upsampling_steps(options.scale, "rdn")) {
    upsampler_.append<nn::Conv2d>(channels, options.growth * factor * factor, 3, nn::same_size(3));
    upsampler_.append<nn::PixelShuffle>(factor);
    channels = options.growth;
  }
  upsampler_.append<nn::Conv2d>(channels, 3, 3, nn::same_size(3));

  if (mean_shift_) {
    register_module("sub_mean", sub_mean_);
    register_module("add_mean", add_mean_);
  }
  register_module("SFENet1", shallow1_);
  register_module("SFENet2", shallow2_);
  register_module("RDBs", blocks_);
  register_module("GFF", fusion_);
  register_module("UPNet", upsampler_);
  nn::initialise_as_pytorch(*this, generator);
}

Tensor Rdn::operator()(const Tensor& lr) const {
  const Tensor shallow = shallow1_(mean_shift_ ? sub_mean_(lr * range_) : lr * range_);
  Tensors outputs;
  Tensor features = shallow2_(shallow);
  for (std::size_t i = 0; i < blocks_.size(); ++i)
    outputs.push_back(features = blocks_.apply(i, features));
  const Tensor y = upsampler_(fusion_(concat(outputs, 1)) + shallow);
  return (mean_shift_ ? add_mean_(y) : y) / range_;
}

nn::StateDict Rdn::translate(const nn::StateDict& state) const {
  nn::StateDict result = state;
  for (const auto& [name, tensor] : named_buffers()) result.emplace(name, tensor);
  return result;
}

nn::RowLayers Rdn::rows(const Shape& lr, DType dtype) const {
  // What goes from block to block holds all outputs so far, beginning with the features that the
  // first block reads; a block reads the last of them.
  const std::int64_t features = shallow2_.weight.size(0);
  const auto append = [](const Tensor& x, const Tensor& y) { return concat({x, y}, 1); };
  const auto last = [features](const Tensor& x) {
    return narrow(x, 1, x.size(1) - features, features);
  };
  nn::RowChain chain(lr, dtype);
  chain.add_pixelwise(
      3, [this](const Tensor& x) { return mean_shift_ ? sub_mean_(x * range_) : x * range_; });
  chain.add(shallow1_.rows(chain.shape(), dtype));
  const Shape shallow = chain.shape();
  nn::RowChain inner(shallow, dtype);
  inner.add(shallow2_.rows(shallow, dtype));
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    nn::RowChain block(inner.shape(), dtype);
    block.add_pixelwise(features, last);
    block.add(blocks_.rows_of(i, block.shape(), dtype));
    inner.add(nn::skip_rows(inner.shape(), block.take(), inner.shape()[1] + features, append));
  }
  const std::int64_t outputs = inner.shape()[1] - features;
  inner.add_pixelwise(
      outputs, [features, outputs](const Tensor& x) { return narrow(x, 1, features, outputs); });
  inner.add(fusion_.rows(inner.shape(), dtype));
  chain.add(nn::skip_rows(shallow, inner.take(), shallow[1],
                          [](const Tensor& x, const Tensor& y) { return y + x; }));
  chain.add(upsampler_.rows(chain.shape(), dtype));
  chain.add_pixelwise(
      3, [this](const Tensor& y) { return (mean_shift_ ? add_mean_(y) : y) / range_; });
  return chain.take();
}

}  // namespace mini::models
