// SqueezeExcite (J. Hu, L. Shen, G. Sun, "Squeeze-and-excitation networks", CVPR 2018), without
// biases: scales each channel by what two small layers make of all channels' means.
//
//   y = x·sigmoid(fc2·ReLU(fc1·mean(x)))
#pragma once

#include "autograd/functions.h"
#include "nn/layers.h"

namespace mini::models {

class SqueezeExcite : public nn::Layer {
 public:
  explicit SqueezeExcite(std::int64_t channels, std::int64_t reduction = 16)
      : fc1_(channels, channels / reduction, 1, {}, nn::Bias::no),
        fc2_(channels / reduction, channels, 1, {}, nn::Bias::no) {
    check(channels >= reduction, "squeeze and excitation: ", channels,
          " channels cannot be reduced to 1/", reduction, "; use at least ", reduction);
    register_module("fc1", fc1_);
    register_module("fc2", fc2_);
  }
  Tensor operator()(const Tensor& x) const override {
    return x * sigmoid(fc2_(relu(fc1_(mean_(x)))));
  }

 private:
  nn::GlobalMean mean_;
  nn::Conv2d fc1_, fc2_;
};

}  // namespace mini::models
