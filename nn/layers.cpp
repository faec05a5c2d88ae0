#include "nn/layers.h"

#include <array>

#include "autograd/functions.h"

namespace mini::nn {

Conv2d::Conv2d(std::int64_t in, std::int64_t out, std::int64_t kernel, const Conv2dParams& params,
               Bias with_bias)
    : weight(Tensor::zeros({out, in / params.groups, kernel, kernel})), params_(params) {
  register_parameter("weight", weight);
  if (with_bias == Bias::yes) register_parameter("bias", bias = Tensor::zeros({out}));
}

Tensor Conv2d::operator()(const Tensor& x) const { return conv2d(x, weight, bias, params_); }

ConvTranspose2d::ConvTranspose2d(std::int64_t in, std::int64_t out, std::int64_t kernel,
                                 const Conv2dParams& params,
                                 const std::array<std::int64_t, 2>& output_padding, Bias with_bias)
    : weight(Tensor::zeros({in, out / params.groups, kernel, kernel})),
      params_(params),
      output_padding_(output_padding) {
  register_parameter("weight", weight);
  if (with_bias == Bias::yes) register_parameter("bias", bias = Tensor::zeros({out}));
}

Tensor ConvTranspose2d::operator()(const Tensor& x) const {
  return conv_transpose2d(x, weight, bias, params_, output_padding_);
}

Linear::Linear(std::int64_t in, std::int64_t out, Bias with_bias)
    : weight(Tensor::zeros({out, in})) {
  register_parameter("weight", weight);
  if (with_bias == Bias::yes) register_parameter("bias", bias = Tensor::zeros({out}));
}

Tensor Linear::operator()(const Tensor& x) const { return linear(x, weight, bias); }

PRelu::PRelu(std::int64_t channels) : weight(Tensor::full({channels}, 0.25)) {
  register_parameter("weight", weight);
}

Tensor PRelu::operator()(const Tensor& x) const {
  const bool shared = weight.numel() == 1 && x.size(1) != 1;
  return prelu(x, shared ? expand(weight, {x.size(1)}) : weight);
}

Tensor Relu::operator()(const Tensor& x) const { return relu(x); }
Tensor LeakyRelu::operator()(const Tensor& x) const { return leaky_relu(x, slope_); }
Tensor Sigmoid::operator()(const Tensor& x) const { return sigmoid(x); }
Tensor Tanh::operator()(const Tensor& x) const { return tanh(x); }
Tensor PixelShuffle::operator()(const Tensor& x) const { return pixel_shuffle(x, factor_); }
Tensor PixelUnshuffle::operator()(const Tensor& x) const { return pixel_unshuffle(x, factor_); }

Tensor ReflectionPad2d::operator()(const Tensor& x) const {
  return pad2d(x, {margin_, margin_, margin_, margin_}, PadMode::reflect);
}

Tensor MaxPool2d::operator()(const Tensor& x) const { return max_pool2d(x, params_); }

Tensor Dropout::operator()(const Tensor& x) const {
  if (!training() || p_ == 0) return x;
  check(generator_ != nullptr,
        "dropout: training needs a generator; give one, or set_training(false)");
  return dropout(x, p_, *generator_);
}

Tensor Flatten::operator()(const Tensor& x) const { return reshape(x, {x.size(0), -1}); }

Tensor GlobalMean::operator()(const Tensor& x) const {
  constexpr std::array<int, 2> sides{2, 3};
  return mean(x, sides, true);
}

}  // namespace mini::nn
