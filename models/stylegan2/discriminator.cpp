#include "models/stylegan2/discriminator.h"

#include <numbers>

#include "autograd/functions.h"
#include "models/stylegan2/blur.h"

namespace mini::models {
namespace {

class ConvLayer : public nn::Sequential {
 public:
  ConvLayer(std::int64_t in, std::int64_t out, std::int64_t kernel, Generator& generator) {
    append<EqualConv2d>(in, out, kernel, nn::same_size(kernel), generator);
    append<BiasedLeakyRelu>(out);
  }
};

class HalvingConvLayer : public nn::Sequential {
 public:
  HalvingConvLayer(std::int64_t in, std::int64_t out, Generator& generator) {
    append<Blur>(Blur::Margins{2, 2});
    append<EqualConv2d>(in, out, 3, Conv2dParams{.stride = {2, 2}}, generator);
    append<BiasedLeakyRelu>(out);
  }
};

// The 1×1 convolution has stride 2, so the blur need not compute the pixels in between.
class Skip : public nn::Sequential {
 public:
  Skip(std::int64_t in, std::int64_t out, Generator& generator) {
    append<Blur>(Blur::Margins{1, 1}, 1, 1, 2);
    append<EqualConv2d>(in, out, 1, Conv2dParams{}, generator);
  }
};

class ResidualBlock : public nn::Layer {
 public:
  ResidualBlock(std::int64_t in, std::int64_t out, Generator& generator)
      : conv1_(in, in, 3, generator), conv2_(in, out, generator), skip_(in, out, generator) {
    register_module("conv1", conv1_);
    register_module("conv2", conv2_);
    register_module("skip", skip_);
  }
  Tensor operator()(const Tensor& x) const override {
    return (conv2_(conv1_(x)) + skip_(x)) / std::numbers::sqrt2;
  }

 private:
  ConvLayer conv1_;
  HalvingConvLayer conv2_;
  Skip skip_;
};

}  // namespace

StyleGan2Discriminator::StyleGan2Discriminator(const StyleGan2Options& options,
                                               Generator& generator)
    : size_(options.size) {
  options.validate();
  std::int64_t channels = options.channels(size_);
  convs_.append<ConvLayer>(3, channels, 1, generator);
  for (std::int64_t side = size_; side > 4; side /= 2) {
    const std::int64_t next = options.channels(side / 2);
    convs_.append<ResidualBlock>(channels, next, generator);
    channels = next;
  }
  final_conv_.append<EqualConv2d>(channels + 1, channels, 3, nn::same_size(3), generator);
  final_conv_.append<BiasedLeakyRelu>(channels);
  final_linear_.append<EqualLinear>(channels * 16, channels,
                                    EqualLinear::Options{.activation = Activation::leaky_relu},
                                    generator);
  final_linear_.append<EqualLinear>(channels, 1, EqualLinear::Options{}, generator);
  register_module("convs", convs_);
  register_module("final_conv", final_conv_);
  register_module("final_linear", final_linear_);
}

Tensor StyleGan2Discriminator::operator()(const Tensor& image) const {
  check(image.rank() == 4 && image.size(1) == 3 && image.size(2) == size_ && image.size(3) == size_,
        "stylegan2 discriminator: needs images [N,3,", size_, ",", size_, "], got ", image.shape());
  const Tensor x = final_conv_(minibatch_stddev(convs_(image)));
  return final_linear_(reshape(x, {x.size(0), -1}));
}

}  // namespace mini::models
