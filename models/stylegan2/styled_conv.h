// StyledConv (T. Karras et al., "Analyzing and improving the image quality of StyleGAN", CVPR 2020,
// figure 2): a convolution whose input channels the style scales, noise, and the activation.
//
//   code ─ modulation ─┐
//   x ─────────────── conv ─ (blur) ─ + weight·noise ─ + bias ─ LeakyReLU 0.2 · √2 ─ y
//
// Each output of the modulated weight is divided by its norm (demodulation), which takes the style's
// size out of the result. Enlarging, the convolution is a transposed one with stride 2, then Blur.
#pragma once

#include <optional>

#include "models/stylegan2/blur.h"
#include "models/stylegan2/equalised.h"

namespace mini::models {

// Noise of one channel, [1 or N,1,H,W], scaled by a learned number and added to all channels.
class NoiseInjection : public nn::Module {
 public:
  NoiseInjection() { register_parameter("weight", weight_ = Tensor::zeros({1})); }
  Tensor operator()(const Tensor& x, const Tensor& noise) const { return x + noise * weight_; }

 private:
  Tensor weight_;
};

class ModulatedConv2d : public nn::Module {
 public:
  ModulatedConv2d(std::int64_t in, std::int64_t out, std::int64_t kernel, std::int64_t style,
                  bool demodulate, Resampling way, Generator& generator);
  // x [N,in,H,W], code [N,style] -> [N,out,H,W], or twice the sides.
  Tensor operator()(const Tensor& x, const Tensor& code) const;

 private:
  bool demodulate_;
  Resampling way_;
  Tensor weight_;  // [1,out,in,kernel,kernel]
  EqualLinear modulation_;
  std::optional<Blur> blur_;
};

class StyledConv : public nn::Module {
 public:
  StyledConv(std::int64_t in, std::int64_t out, std::int64_t style, Resampling way,
             Generator& generator);
  Tensor operator()(const Tensor& x, const Tensor& code, const Tensor& noise) const {
    return activate_(noise_(conv_(x, code), noise));
  }

 private:
  ModulatedConv2d conv_;
  NoiseInjection noise_;
  BiasedLeakyRelu activate_;
};

// Features to colours: a modulated 1×1 convolution, a bias, and the enlarged image of the resolution
// below, if there is one.
class ToRgb : public nn::Module {
 public:
  ToRgb(std::int64_t in, std::int64_t style, bool first, Generator& generator);
  Tensor operator()(const Tensor& x, const Tensor& code, const Tensor& below) const;

 private:
  ModulatedConv2d conv_;
  Tensor bias_;  // [1,3,1,1]
  std::optional<Upsample> upsample_;
};

}  // namespace mini::models
