#include "models/upscale/srcnn.h"

#include "autograd/functions.h"
#include "nn/init.h"
#include "tensor/view.h"

namespace mini::models {

Srcnn::Srcnn(const SrcnnOptions& options, Generator& generator)
    : border_(options.border),
      conv1_(options.channels, options.features[0], options.kernels[0]),
      conv2_(options.features[0], options.features[1], options.kernels[1]),
      conv3_(options.features[1], options.channels, options.kernels[2]) {
  for (const std::int64_t kernel : options.kernels)
    check(kernel > 0 && kernel % 2 == 1, "srcnn: kernels must be odd, got ", kernel);
  register_module("conv1", conv1_);
  register_module("conv2", conv2_);
  register_module("conv3", conv3_);
  for (const nn::Conv2d* conv : {&conv1_, &conv2_, &conv3_})
    ops::copy(nn::normal(conv->weight.shape(), 0.001, generator), conv->weight);
}

Tensor Srcnn::operator()(const Tensor& x) const {
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
