// ResidualDenseBlock (RDN, figure 3): dense layers, each of which appends what it computes to what
// it reads, then a 1×1 convolution that fuses all features, plus the input.
//
//   x_(c+1) = cat(x_c, ReLU(conv_c(x_c)))     y = LFF(x_C) + x_0
#pragma once

#include "autograd/functions.h"
#include "nn/layers.h"
#include "nn/rows.h"
#include "nn/sequential.h"

namespace mini::models {

class DenseLayer : public nn::Layer {
 public:
  DenseLayer(std::int64_t in, std::int64_t growth) {
    conv_.append<nn::Conv2d>(in, growth, 3, nn::same_size(3));
    conv_.append<nn::Relu>();
    register_module("conv", conv_);
  }
  Tensor operator()(const Tensor& x) const override { return concat({x, conv_(x)}, 1); }
  std::unique_ptr<nn::RowLayer> rows(const Shape& input, DType dtype) const override {
    nn::RowLayers inner = conv_.rows(input, dtype);
    const std::int64_t channels = input[1] + inner->output()[1];
    return nn::skip_rows(input, std::move(inner), channels, [](const Tensor& x, const Tensor& y) {
      return concat({x, y}, 1);
    });
  }

 private:
  nn::Sequential conv_;
};

class ResidualDenseBlock : public nn::Layer {
 public:
  ResidualDenseBlock(std::int64_t features, std::int64_t growth, std::int64_t layers)
      : fusion_(features + layers * growth, features, 1) {
    for (std::int64_t c = 0; c < layers; ++c)
      layers_.append<DenseLayer>(features + c * growth, growth);
    register_module("convs", layers_);
    register_module("LFF", fusion_);
  }
  Tensor operator()(const Tensor& x) const override { return fusion_(layers_(x)) + x; }
  std::unique_ptr<nn::RowLayer> rows(const Shape& input, DType dtype) const override {
    nn::RowChain inner(input, dtype);
    inner.add(layers_.rows(input, dtype)).add(fusion_.rows(inner.shape(), dtype));
    return nn::skip_rows(input, inner.take(), input[1],
                         [](const Tensor& x, const Tensor& y) { return y + x; });
  }

 private:
  nn::Sequential layers_;
  nn::Conv2d fusion_;
};

}  // namespace mini::models
