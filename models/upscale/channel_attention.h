// ChannelAttention (RCAN, figure 3; also known as squeeze and excitation): scales each channel by
// what two small layers make of all channels' means.
//
//   y = x·sigmoid(W2·ReLU(W1·mean(x) + b1) + b2)
//
// The means are over the whole image, so a network with it gives other pixels for a part of one.
#pragma once

#include "autograd/functions.h"
#include "nn/layers.h"
#include "nn/sequential.h"

namespace mini::models {

class ChannelAttention : public nn::Layer {
 public:
  ChannelAttention(std::int64_t channels, std::int64_t reduction) {
    attention_.append<nn::Conv2d>(channels, channels / reduction, 1);
    attention_.append<nn::Relu>();
    attention_.append<nn::Conv2d>(channels / reduction, channels, 1);
    attention_.append<nn::Sigmoid>();
    register_module("conv_du", attention_);
  }
  Tensor operator()(const Tensor& x) const override { return x * attention_(mean_(x)); }

 private:
  nn::GlobalMean mean_;
  nn::Sequential attention_;
};

}  // namespace mini::models
