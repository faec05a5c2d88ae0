// ActNorm (D. P. Kingma, P. Dhariwal, "Glow: Generative flow with invertible 1×1 convolutions",
// NeurIPS 2018): a shift and a scale for each channel, which the first batch sets so that the
// result has mean 0 and variance 1.
//
//   y = (x + bias)·exp(logs)      log|det| = H·W·Σ logs
#pragma once

#include "nn/layers.h"

namespace mini::models {

class ActNorm : public nn::Layer {
 public:
  explicit ActNorm(std::int64_t channels);

  // While training, if all biases are zero, as they are at first, x sets bias and logs beforehand.
  Tensor operator()(const Tensor& x) const override;
  Tensor inverse(const Tensor& y) const;
  // For x [N,C,H,W]; one element.
  Tensor log_det(const Shape& x) const;

 private:
  void set_from(const Tensor& x) const;

  Tensor bias_, logs_;           // [1,C,1,1]
  mutable bool is_set_ = false;  // so that the biases are looked at only once
};

// A convolution without bias, normalised.
class NormalisedConv2d : public nn::Conv2d {
 public:
  NormalisedConv2d(std::int64_t in, std::int64_t out, std::int64_t kernel);
  Tensor operator()(const Tensor& x) const override;

 private:
  ActNorm actnorm_;
};

// A 3×3 convolution whose results are scaled by exp(3·logs), all zero at first: what ends the
// networks of a flow, so that every step starts as the identity.
class ScaledConv2d : public nn::Conv2d {
 public:
  ScaledConv2d(std::int64_t in, std::int64_t out);
  Tensor operator()(const Tensor& x) const override;

 private:
  Tensor logs_;  // [out,1,1]
};

}  // namespace mini::models
