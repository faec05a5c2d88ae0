#include "models/perceptual/lpips.h"

#include "autograd/functions.h"
#include "nn/init.h"
#include "tensor/view.h"

namespace mini::models {
namespace {

constexpr std::array<std::int64_t, 5> widths{64, 192, 384, 256, 256};
constexpr std::array<std::size_t, 5> relus{1, 4, 7, 9, 11};  // in features_

// The mean colour of ImageNet's pictures, and the deviation from it, as the official code has them.
const std::vector<float> mean_colour{-0.030f, -0.088f, -0.188f}, deviation{0.458f, 0.448f, 0.450f};

Tensor like_image(const std::vector<float>& colour, const Tensor& x) {
  return ops::to_device(ops::cast(Tensor::from(colour, {1, 3, 1, 1}), x.dtype()), x.device());
}

}  // namespace

Lpips::Lpips(Generator& generator) {
  const Pool2dParams pool{{3, 3}, {2, 2}, {0, 0}};
  const auto convolution = [&](std::int64_t in, std::int64_t out, std::int64_t kernel,
                               std::int64_t stride, std::int64_t padding) {
    features_.append<nn::Conv2d>(
        in, out, kernel, Conv2dParams{.stride = {stride, stride}, .padding = {padding, padding}});
    features_.append<nn::Relu>();
  };
  convolution(3, widths[0], 11, 4, 2);
  features_.append<nn::MaxPool2d>(pool);
  convolution(widths[0], widths[1], 5, 1, 2);
  features_.append<nn::MaxPool2d>(pool);
  for (std::size_t i = 2; i < layers; ++i) convolution(widths[i - 1], widths[i], 3, 1, 1);
  register_module("features", features_);
  for (std::size_t i = 0; i < layers; ++i) {
    heads_[i].append<nn::Dropout>(0.5);
    heads_[i].append<nn::Conv2d>(widths[i], 1, 1, Conv2dParams{}, nn::Bias::no);
    register_module(concat_text("lin", i, ".model"), heads_[i]);
  }
  nn::initialise_as_pytorch(*this, generator);
  set_training(false);
}

std::array<Tensor, Lpips::layers> Lpips::features(const Tensor& x) const {
  std::array<Tensor, layers> result;
  Tensor y = (x - like_image(mean_colour, x)) / like_image(deviation, x);
  std::size_t found = 0;
  for (std::size_t i = 0; i < features_.size(); ++i) {
    y = features_.apply(i, y);
    if (i == relus[found]) result[found++] = l2_normalise(y, 1, 1e-10);
  }
  return result;
}

Tensor Lpips::operator()(const Tensor& x, const Tensor& y) const {
  check(x.rank() == 4 && x.size(1) == 3 && x.shape() == y.shape(),
        "lpips: needs two pictures [N,3,H,W], got ", x.shape(), " and ", y.shape());
  const auto a = features(x), b = features(y);
  Tensor total;
  for (std::size_t i = 0; i < layers; ++i) {
    const Tensor distance = mean(heads_[i](square(a[i] - b[i])));
    total = total.defined() ? total + distance : distance;
  }
  return total;
}

}  // namespace mini::models
