#include "nn/layers.h"

#include <array>

#include "autograd/functions.h"
#include "nn/rows.h"

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

// ── Row by row ───────────────────────────────────────────────────────────────────────────────────
std::unique_ptr<RowLayer> Conv2d::rows(const Shape& input, DType dtype) const {
  const std::int64_t margin = params_.padding[0];
  const bool same = weight.size(2) == 2 * margin + 1 && weight.size(3) == weight.size(2) &&
                    params_.padding[1] == margin &&
                    params_.stride == std::array<std::int64_t, 2>{1, 1} &&
                    params_.dilation == std::array<std::int64_t, 2>{1, 1};
  if (!same) return nullptr;
  return std::make_unique<WindowRows>(
      input, dtype, Shape{input[0], weight.size(0), input[2], input[3]},
      RowFunction{.function = [this](const Tensor& x) { return (*this)(x); },
                  .halo = margin,
                  // A copy of the input in another order of memory, and the weights in another.
                  .workspace =
                      [this, dtype](const Shape& x) {
                        return static_cast<std::size_t>(x.numel() + 4 * weight.numel()) *
                               element_size(dtype);
                      }});
}

std::unique_ptr<RowLayer> PixelwiseLayer::rows(const Shape& input, DType dtype) const {
  return std::make_unique<WindowRows>(
      input, dtype, input, RowFunction{.function = [this](const Tensor& x) { return (*this)(x); }});
}

std::unique_ptr<RowLayer> PixelShuffle::rows(const Shape& input, DType dtype) const {
  return std::make_unique<WindowRows>(
      input, dtype,
      Shape{input[0], input[1] / (factor_ * factor_), factor_ * input[2], factor_ * input[3]},
      RowFunction{.function = [this](const Tensor& x) { return (*this)(x); }, .enlarge = factor_});
}

std::unique_ptr<RowLayer> PixelUnshuffle::rows(const Shape& input, DType dtype) const {
  if (input[2] % factor_ != 0 || input[3] % factor_ != 0) return nullptr;
  return std::make_unique<WindowRows>(
      input, dtype,
      Shape{input[0], input[1] * factor_ * factor_, input[2] / factor_, input[3] / factor_},
      RowFunction{.function = [this](const Tensor& x) { return (*this)(x); },
                  .grid = factor_,
                  .shrink = factor_});
}

}  // namespace mini::nn
