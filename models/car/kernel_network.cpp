#include "models/car/kernel_network.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "autograd/functions.h"
#include "models/upscale/residual.h"
#include "nn/init.h"
#include "tensor/view.h"

namespace mini::models {
namespace {

constexpr double slope = 0.2;

// A convolution that keeps the size, its border reflected.
void append_convolution(nn::Sequential& layers, std::int64_t in, std::int64_t out,
                        std::int64_t kernel = 3) {
  layers.append<nn::ReflectionPad2d>(kernel / 2);
  layers.append<nn::Conv2d>(in, out, kernel);
}

class TransformBlock : public Residual {
 public:
  explicit TransformBlock(std::int64_t features) : Residual(1, "transform") {
    append_convolution(body, features, features);
    body.append<nn::LeakyRelu>(slope);
    append_convolution(body, features, features);
  }
};

// Layers in a module of their own, under `name`.
class Named : public nn::Layer {
 public:
  explicit Named(const char* name) { register_module(name, layers); }
  Tensor operator()(const Tensor& x) const override { return layers(x); }

  nn::Sequential layers;
};

void fill_trunk(nn::Sequential& trunk, std::int64_t features, std::int64_t enlarge) {
  for (int i = 0; i < 3; ++i) {
    append_convolution(trunk, features, features);
    trunk.append<nn::Relu>();
  }
  nn::Sequential& upsample = trunk.append<Named>("upsample").layers;
  upsample.append<nn::Conv2d>(features, features * enlarge * enlarge, 1);
  upsample.append<nn::PixelShuffle>(enlarge);
  append_convolution(trunk, features, features);
  trunk.append<nn::Relu>();
}

void fill_head(nn::Sequential& head, std::int64_t features, std::int64_t taps) {
  append_convolution(head, features, features);
  head.append<nn::Relu>();
  append_convolution(head, features, taps);
}

}  // namespace

KernelNetwork::KernelNetwork(const KernelOptions& options, Generator& generator)
    : scale_(options.scale), sub_mean_(-1) {
  check(scale_ == 2 || scale_ == 4, "car: scale must be 2 or 4, got ", scale_);
  check(options.features > 0 && options.blocks >= 0, "car: features must be above 0, got ",
        options.features);
  const std::int64_t narrow = options.features, middle = 2 * narrow, wide = 4 * narrow;
  const std::int64_t side = 3 * scale_ + 1;
  const auto halve = [](nn::Sequential& layers, std::int64_t in, std::int64_t out) {
    layers.append<nn::PixelUnshuffle>(2);
    layers.append<nn::Conv2d>(4 * in, out, 1);
  };
  append_convolution(ds_1_, 3, narrow, 5);
  ds_1_.append<nn::LeakyRelu>(slope);
  halve(ds_2_, narrow, middle);
  halve(ds_4_, middle, middle);
  for (std::int64_t i = 0; i < options.blocks; ++i) res_4_.append<TransformBlock>(middle);
  halve(ds_8_, middle, wide);
  for (nn::Sequential* trunk : {&kernels_trunk_, &offsets_trunk_})
    fill_trunk(*trunk, wide, 8 / scale_);
  for (nn::Sequential* head : {&kernels_, &offsets_h_, &offsets_v_})
    fill_head(*head, wide, side * side);

  register_module("sub_mean", sub_mean_);
  register_module("ds_1", ds_1_);
  register_module("ds_2.downsample", ds_2_);
  register_module("ds_4.downsample", ds_4_);
  register_module("res_4", res_4_);
  register_module("ds_8.downsample", ds_8_);
  register_module("kernels_trunk", kernels_trunk_);
  register_module("offsets_trunk", offsets_trunk_);
  register_module("kernels_weight", kernels_);
  register_module("offsets_h_generation", offsets_h_);
  register_module("offsets_v_generation", offsets_v_);
  nn::initialise_as_pytorch(*this, generator);
}

ResamplingKernels KernelNetwork::operator()(const Tensor& hr) const {
  check(hr.rank() == 4 && hr.size(2) % grid == 0 && hr.size(3) % grid == 0 &&
            std::min(hr.size(2), hr.size(3)) >= least,
        "car: needs an image [N,3,H,W] whose sides are multiples of 8 from 16 on, got ", hr.shape(),
        "; pad or crop it");
  const Tensor quarter = ds_4_(ds_2_(ds_1_(sub_mean_(hr))));
  const Tensor eighth = ds_8_(quarter + res_4_(quarter));
  // The weights are positive, so their sum is never near zero.
  const Tensor positive = clamp(kernels_(kernels_trunk_(eighth)), 1e-6, 1);
  const Tensor offsets = offsets_trunk_(eighth);
  return {positive / sum(positive, std::vector<int>{1}, true), tanh(offsets_h_(offsets)),
          tanh(offsets_v_(offsets))};
}

Tensor KernelNetwork::resample(const Tensor& hr, const ResamplingKernels& kernels) const {
  const std::int64_t margin = (3 * scale_ + 1) / 2;
  return adaptive_resample(pad2d(hr, {margin, margin, margin, margin}, PadMode::reflect),
                           kernels.weights, kernels.offsets_h, kernels.offsets_v, scale_);
}

Tensor offset_loss(const ResamplingKernels& kernels) {
  const Tensor& h = kernels.offsets_h;
  const Tensor& v = kernels.offsets_v;
  const auto side = std::llround(std::sqrt(static_cast<double>(h.size(1))));
  std::vector<double> distances;
  const double middle = static_cast<double>(side) / 2;
  for (std::int64_t y = 0; y < side; ++y)
    for (std::int64_t x = 0; x < side; ++x)
      distances.push_back(
          std::hypot(static_cast<double>(x) - middle, static_cast<double>(y) - middle) /
          static_cast<double>(side));
  const Tensor far = ops::to_device(
      ops::cast(Tensor::from(distances, {1, side * side, 1, 1}), h.dtype()), h.device());
  const auto pixels = static_cast<double>(h.size(0) * h.size(2) * h.size(3));
  return sum(sqrt(square(h) + square(v)) * far) / pixels;
}

Tensor offset_variation(const ResamplingKernels& kernels) {
  // The change from each pixel to the next, weighted as that of the first.
  const auto variation = [&](const Tensor& offsets, int dim) {
    const std::int64_t steps = offsets.size(dim) - 1;
    const Tensor change = narrow(offsets, dim, 1, steps) - narrow(offsets, dim, 0, steps);
    return sum(abs(change) * narrow(kernels.weights, dim, 0, steps));
  };
  return (variation(kernels.offsets_v, 3) + variation(kernels.offsets_h, 2)) /
         static_cast<double>(kernels.weights.size(0));
}

}  // namespace mini::models
