// Layers under the names PyTorch gives them, and its names for their parameters.
//
// Weights and biases are zero at first; nn/init.h fills them. Read next: nn/sequential.h.
#pragma once

#include "nn/module.h"
#include "ops/params.h"

namespace mini::nn {

enum class Bias : bool { no, yes };

// A layer whose result at a pixel depends on that pixel alone, and has as many channels.
class PixelwiseLayer : public Layer {
 public:
  std::unique_ptr<RowLayer> rows(const Shape& input, DType dtype) const override;
};

// x [N,in,H,W] -> [N,out,H',W']. weight [out,in/groups,kernel,kernel], bias [out].
class Conv2d : public Layer {
 public:
  Conv2d(std::int64_t in, std::int64_t out, std::int64_t kernel, const Conv2dParams& params = {},
         Bias with_bias = Bias::yes);
  Tensor operator()(const Tensor& x) const override;
  std::unique_ptr<RowLayer> rows(const Shape& input, DType dtype) const override;

  Tensor weight, bias;  // bias is undefined without one

 private:
  Conv2dParams params_;
};

// A convolution whose result is as large as its input: stride 1, padding (kernel - 1)/2 of zeros.
inline Conv2dParams same_size(std::int64_t kernel) {
  return {.padding = {(kernel - 1) / 2, (kernel - 1) / 2}};
}

// The adjoint of a Conv2d from `out` to `in` channels, plus a bias: x [N,in,H,W] -> [N,out,H',W'],
// H' = (H-1)·s - 2p + d(kernel-1) + output_padding + 1. weight [in,out/groups,kernel,kernel].
class ConvTranspose2d : public Layer {
 public:
  ConvTranspose2d(std::int64_t in, std::int64_t out, std::int64_t kernel,
                  const Conv2dParams& params = {},
                  const std::array<std::int64_t, 2>& output_padding = {0, 0},
                  Bias with_bias = Bias::yes);
  Tensor operator()(const Tensor& x) const override;

  Tensor weight, bias;

 private:
  Conv2dParams params_;
  std::array<std::int64_t, 2> output_padding_;
};

// x [..,in] -> [..,out]. weight [out,in], bias [out].
class Linear : public Layer {
 public:
  Linear(std::int64_t in, std::int64_t out, Bias with_bias = Bias::yes);
  Tensor operator()(const Tensor& x) const override;

  Tensor weight, bias;
};

// x where x > 0, else weight·x, with a weight [channels] for each channel or one [1] for all; 0.25
// at first.
class PRelu : public PixelwiseLayer {
 public:
  explicit PRelu(std::int64_t channels = 1);
  Tensor operator()(const Tensor& x) const override;

  Tensor weight;
};

// ── Layers without parameters ────────────────────────────────────────────────────────────────────
class Relu : public PixelwiseLayer {
 public:
  Tensor operator()(const Tensor& x) const override;
};

class LeakyRelu : public PixelwiseLayer {
 public:
  explicit LeakyRelu(double slope = 0.01) : slope_(slope) {}
  Tensor operator()(const Tensor& x) const override;

 private:
  double slope_;
};

class Sigmoid : public PixelwiseLayer {
 public:
  Tensor operator()(const Tensor& x) const override;
};

class Tanh : public PixelwiseLayer {
 public:
  Tensor operator()(const Tensor& x) const override;
};

// [N,C·f²,H,W] -> [N,C,fH,fW]
class PixelShuffle : public Layer {
 public:
  explicit PixelShuffle(std::int64_t factor) : factor_(factor) {}
  Tensor operator()(const Tensor& x) const override;
  std::unique_ptr<RowLayer> rows(const Shape& input, DType dtype) const override;

 private:
  std::int64_t factor_;
};

// [N,C,fH,fW] -> [N,C·f²,H,W]
class PixelUnshuffle : public Layer {
 public:
  explicit PixelUnshuffle(std::int64_t factor) : factor_(factor) {}
  Tensor operator()(const Tensor& x) const override;
  std::unique_ptr<RowLayer> rows(const Shape& input, DType dtype) const override;

 private:
  std::int64_t factor_;
};

// Mirrors `margin` pixels at each side, without repeating the border pixel.
class ReflectionPad2d : public Layer {
 public:
  explicit ReflectionPad2d(std::int64_t margin) : margin_(margin) {}
  Tensor operator()(const Tensor& x) const override;

 private:
  std::int64_t margin_;
};

// The largest value of each window.
class MaxPool2d : public Layer {
 public:
  explicit MaxPool2d(const Pool2dParams& params) : params_(params) {}
  Tensor operator()(const Tensor& x) const override;

 private:
  Pool2dParams params_;
};

// While training, zeroes values with probability p and divides the others by 1 - p.
class Dropout : public Layer {
 public:
  // To train it needs a generator, which must live as long as the layer.
  explicit Dropout(double p, Generator* generator = nullptr) : p_(p), generator_(generator) {}
  Tensor operator()(const Tensor& x) const override;

 private:
  double p_;
  Generator* generator_;
};

// [N,C,H,W] -> [N,C·H·W]
class Flatten : public Layer {
 public:
  Tensor operator()(const Tensor& x) const override;
};

// The mean of each channel: [N,C,H,W] -> [N,C,1,1]. PyTorch's AdaptiveAvgPool2d(1).
class GlobalMean : public Layer {
 public:
  Tensor operator()(const Tensor& x) const override;
};

}  // namespace mini::nn
