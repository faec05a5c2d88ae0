#include "models/stylegan2/styled_conv.h"

#include <cmath>

#include "autograd/functions.h"
#include "nn/init.h"

namespace mini::models {

ModulatedConv2d::ModulatedConv2d(std::int64_t in, std::int64_t out, std::int64_t kernel,
                                 std::int64_t style, bool demodulate, Resampling way,
                                 Generator& generator)
    : demodulate_(demodulate),
      way_(way),
      weight_(nn::normal({1, out, in, kernel, kernel}, 1, generator)),
      modulation_(style, in, {.bias = 1}, generator) {
  check(way != Resampling::down, "modulated convolution: the generator makes nothing smaller");
  register_parameter("weight", weight_);
  register_module("modulation", modulation_);
  if (way == Resampling::up) register_module("blur", blur_.emplace(Blur::Margins{1, 1}, 4));
}

Tensor ModulatedConv2d::operator()(const Tensor& x, const Tensor& code) const {
  const Tensor weight = select(weight_, 0, 0);
  // The equalising scale goes to the style, which is smaller than the weight.
  const double fan_in = static_cast<double>(weight.numel()) / static_cast<double>(weight.size(0));
  const Tensor style = modulation_(code) * (1 / std::sqrt(fan_in));
  const Tensor y = modulated_conv2d(x, weight, style, demodulate_, way_);
  return blur_ ? (*blur_)(y) : y;
}

StyledConv::StyledConv(std::int64_t in, std::int64_t out, std::int64_t style, Resampling way,
                       Generator& generator)
    : conv_(in, out, 3, style, true, way, generator), activate_(out) {
  register_module("conv", conv_);
  register_module("noise", noise_);
  register_module("activate", activate_);
}

ToRgb::ToRgb(std::int64_t in, std::int64_t style, bool first, Generator& generator)
    : conv_(in, 3, 1, style, false, Resampling::same, generator),
      bias_(Tensor::zeros({1, 3, 1, 1})) {
  register_parameter("bias", bias_);
  register_module("conv", conv_);
  if (!first) register_module("upsample", upsample_.emplace());
}

Tensor ToRgb::operator()(const Tensor& x, const Tensor& code, const Tensor& below) const {
  const Tensor y = conv_(x, code) + bias_;
  return upsample_ ? y + (*upsample_)(below) : y;
}

}  // namespace mini::models
