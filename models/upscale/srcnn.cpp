#include "models/upscale/srcnn.h"

#include <algorithm>
#include <cmath>

#include "autograd/functions.h"
#include "models/upscale/recognise.h"
#include "nn/init.h"
#include "tensor/view.h"

namespace mini::models {
namespace {

// Y of BT.601, from 16/255 to 235/255, of RGB in [0,1].
Tensor luminance(const Tensor& x) {
  return narrow(x, 1, 0, 1) * (65.481 / 255) + narrow(x, 1, 1, 1) * (128.553 / 255) +
         narrow(x, 1, 2, 1) * (24.966 / 255) + 16.0 / 255;
}

std::int64_t side_of(const nn::StateDict& state, const char* weight) {
  const auto found = state.find(weight);
  check(found != state.end() && found->second.rank() == 4, "model: the weights lack ", weight);
  return found->second.size(3);
}

}  // namespace

std::vector<nn::Field> Srcnn::fields(Options& options) {
  const nn::Range side = nn::between(1, 99), width = nn::between(1, 4096);
  return {
      {"scale", &options.scale, "HR side / LR side", {}, {"2", "3", "4"}},
      {"kernel1", &options.kernel1, "side of the first kernel, odd", side},
      {"kernel2", &options.kernel2, "side of the second; the paper's 1, 3 or 5", side},
      {"kernel3", &options.kernel3, "side of the third", side},
      {"features1", &options.features1, "channels behind the first convolution", width},
      {"features2", &options.features2, "channels behind the second", width},
      {"channels", &options.channels, "1: luminance alone; 3: RGB", {}, {"1", "3"}},
      {"border",
       nn::choice(&options.border),
       "what a convolution finds outside of the image",
       {},
       {"replicate", "zero"}},
      {"range", &options.range, "value of white inside the network", nn::more_than(0)},
  };
}

std::optional<SrcnnOptions> Srcnn::recognise(const nn::StateDict& state) {
  const auto first = state.find("conv1.weight");
  if (first == state.end() || !state.contains("conv3.weight") || state.size() != 6)
    return std::nullopt;
  if (first->second.rank() != 4 || (first->second.size(1) != 1 && first->second.size(1) != 3))
    return std::nullopt;
  Options options{.kernel1 = side_of(state, "conv1.weight"),
                  .kernel2 = side_of(state, "conv2.weight"),
                  .kernel3 = side_of(state, "conv3.weight"),
                  .features1 = outputs_of(state, "conv1.weight"),
                  .features2 = outputs_of(state, "conv2.weight"),
                  .channels = first->second.size(1)};
  // Biases are as large as the values inside: below 1 for images in [0,1].
  double largest = 0;
  if (const auto bias = state.find("conv1.bias"); bias != state.end())
    for (const double value : bias->second.to_vector())
      largest = std::max(largest, std::abs(value));
  options.range = largest > 4 ? 255 : 1;
  const auto size = [](std::int64_t n) { return static_cast<double>(n); };
  check_plausible(
      state,
      size(options.features1) * (size(options.channels) * std::pow(size(options.kernel1), 2) +
                                 size(options.features2) * std::pow(size(options.kernel2), 2)),
      network);
  return options;
}

std::vector<std::string> Srcnn::untold(const nn::StateDict& /*state*/) {
  return {"scale", "border"};
}

Srcnn::Srcnn(const Options& options, Generator& generator)
    : Upscaler(options.scale),
      channels_(options.channels),
      border_(options.border),
      range_(options.range),
      conv1_(options.channels, options.features1, options.kernel1),
      conv2_(options.features1, options.features2, options.kernel2),
      conv3_(options.features2, options.channels, options.kernel3) {
  for (const std::int64_t kernel : {options.kernel1, options.kernel2, options.kernel3})
    check(kernel > 0 && kernel % 2 == 1, "srcnn: kernels must be odd, got ", kernel);
  register_module("conv1", conv1_);
  register_module("conv2", conv2_);
  register_module("conv3", conv3_);
  for (const nn::Conv2d* conv : {&conv1_, &conv2_, &conv3_})
    ops::copy(nn::normal(conv->weight.shape(), 0.001, generator), conv->weight);
}

Tensor Srcnn::operator()(const Tensor& lr) const {
  check(border_ != SrcnnOptions::Border::none,
        "srcnn: without a border the result would be smaller than the image; choose another");
  const Tensor large = resize_bicubic(lr, static_cast<double>(scale()));
  if (channels_ == 3) return restore(large * range_) / range_;
  const Tensor y = luminance(large);
  // In YCbCr, where the other two stay, each of R, G and B changes by 255/219 of what Y changes.
  return large + (restore(y * range_) / range_ - y) * (255.0 / 219);
}

nn::RowLayers Srcnn::rows(const Shape& lr, DType dtype) const {
  // Places between the pixels are multiples of 1/3, which are no exact numbers: the weights of a part
  // of an image could have other last bits.
  if (scale() == 3) return nullptr;
  // The interpolation reads two rows on each side, the convolutions half their kernels of the result.
  const std::int64_t margins =
      conv1_.weight.size(2) / 2 + conv2_.weight.size(2) / 2 + conv3_.weight.size(2) / 2;
  const std::int64_t s = scale(), widest = std::max(conv1_.weight.size(0), conv2_.weight.size(0));
  return std::make_unique<nn::WindowRows>(
      lr, dtype, Shape{lr[0], lr[1], s * lr[2], s * lr[3]},
      nn::RowFunction{.function = [this](const Tensor& x) { return (*this)(x); },
                      .halo = 2 + (margins + s - 1) / s,
                      .enlarge = s,
                      // Features of two layers, one of them with its border; the images.
                      .workspace =
                          [s, widest, margins, dtype](const Shape& x) {
                            return static_cast<std::size_t>(x[0] * (3 * widest + 24) *
                                                            (s * x[2] + 2 * margins) *
                                                            (s * x[3] + 2 * margins)) *
                                   element_size(dtype);
                          }});
}

Tensor Srcnn::restore(const Tensor& x) const {
  const Tensor patches = relu(conv1_(bordered(x, conv1_)));
  const Tensor mapped = relu(conv2_(bordered(patches, conv2_)));
  return conv3_(bordered(mapped, conv3_));
}

// Adds the border to x that the next convolution takes away.
Tensor Srcnn::bordered(const Tensor& x, const nn::Conv2d& next) const {
  const std::int64_t margin = next.weight.size(2) / 2;
  if (border_ == SrcnnOptions::Border::none || margin == 0) return x;
  return pad2d(x, {margin, margin, margin, margin},
               border_ == SrcnnOptions::Border::zero ? PadMode::zero : PadMode::replicate);
}

}  // namespace mini::models
