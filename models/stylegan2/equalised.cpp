#include "models/stylegan2/equalised.h"

#include <cmath>

#include "autograd/functions.h"
#include "nn/init.h"

namespace mini::models {
namespace {

// For a weight [out,..]: 1/sqrt(fan_in).
double equalising_scale(const Tensor& weight) {
  return std::sqrt(static_cast<double>(weight.size(0)) / static_cast<double>(weight.numel()));
}

}  // namespace

EqualConv2d::EqualConv2d(std::int64_t in, std::int64_t out, std::int64_t kernel,
                         const Conv2dParams& params, Generator& generator)
    : params_(params), weight_(nn::normal({out, in, kernel, kernel}, 1, generator)) {
  register_parameter("weight", weight_);
}

Tensor EqualConv2d::operator()(const Tensor& x) const {
  return conv2d(x, weight_ * equalising_scale(weight_), {}, params_);
}

EqualLinear::EqualLinear(std::int64_t in, std::int64_t out, const Options& options,
                         Generator& generator)
    : options_(options),
      weight_(nn::normal({out, in}, 1 / options.lr_mul, generator)),
      bias_(Tensor::full({out}, options.bias)) {
  register_parameter("weight", weight_);
  register_parameter("bias", bias_);
}

Tensor EqualLinear::operator()(const Tensor& x) const {
  const Tensor y = linear(x, weight_ * (equalising_scale(weight_) * options_.lr_mul));
  const Tensor bias = options_.lr_mul == 1 ? bias_ : bias_ * options_.lr_mul;
  return options_.activation == Activation::none ? y + bias : fused_leaky_relu(y, bias);
}

BiasedLeakyRelu::BiasedLeakyRelu(std::int64_t channels) : bias_(Tensor::zeros({channels})) {
  register_parameter("bias", bias_);
}

Tensor BiasedLeakyRelu::operator()(const Tensor& x) const { return fused_leaky_relu(x, bias_); }

}  // namespace mini::models
