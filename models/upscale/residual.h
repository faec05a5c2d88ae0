// Residual: what most upscalers are made of, layers whose result is added to what they read.
//
//   y = x + scale·body(x)
//
// ResidualBlock (EDSR: B. Lim et al., "Enhanced deep residual networks for single image
// super-resolution", CVPRW 2017) is the one whose body is convolution, ReLU, convolution.
#pragma once

#include "autograd/functions.h"
#include "nn/layers.h"
#include "nn/rows.h"
#include "nn/sequential.h"

namespace mini::models {

class Residual : public nn::Layer {
 public:
  // `name` is that of the body in the state dict.
  explicit Residual(double scale = 1, const char* name = "body") : scale_(scale) {
    register_module(name, body);
  }
  Tensor operator()(const Tensor& x) const override { return join(x, body(x)); }

  std::unique_ptr<nn::RowLayer> rows(const Shape& input, DType dtype) const override {
    return nn::skip_rows(input, body.rows(input, dtype), input[1],
                         [this](const Tensor& x, const Tensor& y) { return join(x, y); });
  }

  nn::Sequential body;

 private:
  Tensor join(const Tensor& x, const Tensor& y) const { return x + (scale_ == 1 ? y : y * scale_); }

  double scale_;
};

class ResidualBlock : public Residual {
 public:
  ResidualBlock(std::int64_t features, double scale) : Residual(scale) {
    body.append<nn::Conv2d>(features, features, 3, nn::same_size(3));
    body.append<nn::Relu>();
    body.append<nn::Conv2d>(features, features, 3, nn::same_size(3));
  }
};

}  // namespace mini::models
