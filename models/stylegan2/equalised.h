// Equalised layers (T. Karras et al., "Progressive growing of GANs for improved quality, stability,
// and variation", ICLR 2018): weights start from N(0, 1) and are scaled when they are used, so that
// an optimiser whose steps do not depend on the size of gradients moves all layers alike.
//
//   y = x·(weight·lr_mul/sqrt(fan_in))ᵀ + bias·lr_mul
//
// After an activated layer come the bias and LeakyReLU 0.2, times √2.
#pragma once

#include "nn/layers.h"
#include "nn/sequential.h"
#include "tensor/random.h"

namespace mini::models {

// x [N,in,H,W] -> [N,out,H',W'], without a bias.
class EqualConv2d : public nn::Layer {
 public:
  EqualConv2d(std::int64_t in, std::int64_t out, std::int64_t kernel, const Conv2dParams& params,
              Generator& generator);
  Tensor operator()(const Tensor& x) const override;

 private:
  Conv2dParams params_;
  Tensor weight_;
};

enum class Activation : bool { none, leaky_relu };

// x [..,in] -> [..,out]
class EqualLinear : public nn::Layer {
 public:
  struct Options {
    double bias = 0;    // at first
    double lr_mul = 1;  // how much faster or slower the layer learns
    Activation activation = Activation::none;
  };
  EqualLinear(std::int64_t in, std::int64_t out, const Options& options, Generator& generator);
  Tensor operator()(const Tensor& x) const override;

 private:
  Options options_;
  Tensor weight_, bias_;
};

// LeakyReLU with slope 0.2 of x + bias, times √2.
class BiasedLeakyRelu : public nn::Layer {
 public:
  explicit BiasedLeakyRelu(std::int64_t channels);
  Tensor operator()(const Tensor& x) const override;

 private:
  Tensor bias_;
};

}  // namespace mini::models
