#include "models/upscale/rdn.h"

#include "autograd/functions.h"
#include "models/upscale/residual_dense_block.h"
#include "models/upscale/upsampler.h"
#include "nn/init.h"

namespace mini::models {

Rdn::Rdn(const RdnOptions& options, Generator& generator)
    : range_(options.range),
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

  register_module("SFENet1", shallow1_);
  register_module("SFENet2", shallow2_);
  register_module("RDBs", blocks_);
  register_module("GFF", fusion_);
  register_module("UPNet", upsampler_);
  nn::initialise_as_pytorch(*this, generator);
}

Tensor Rdn::operator()(const Tensor& x) const {
  const Tensor shallow = shallow1_(mean_shift_ ? sub_mean_(x * range_) : x * range_);
  Tensors outputs;
  Tensor features = shallow2_(shallow);
  for (std::size_t i = 0; i < blocks_.size(); ++i)
    outputs.push_back(features = blocks_[i](features));
  const Tensor y = upsampler_(fusion_(concat(outputs, 1)) + shallow);
  return (mean_shift_ ? add_mean_(y) : y) / range_;
}

}  // namespace mini::models
