// SRCNN (C. Dong, C. C. Loy, K. He, X. Tang, "Image super-resolution using deep convolutional
// networks", TPAMI 2016): three convolutions on an image that bicubic interpolation has enlarged.
//
//   conv1 k1×k1, 64 features ─ ReLU ─ conv2 k2×k2, 32 features ─ ReLU ─ conv3 k3×k3
//
// The paper's networks 9-1-5, 9-3-5 and 9-5-5 see luminance only (one channel); the colours are then
// those of the enlarged image.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "models/upscale/upscaler.h"
#include "nn/field.h"
#include "nn/layers.h"

namespace mini::models {

struct SrcnnOptions {
  // What a convolution finds outside of the image. The authors' test code repeats the border before
  // each layer, PyTorch ports have zeros, and the authors train without any (so the image shrinks).
  enum class Border { replicate, zero, none };

  std::int64_t scale = 2;  // of the enlargement in front; the weights are for one scale
  std::int64_t kernel1 = 9, kernel2 = 5, kernel3 = 5;
  std::int64_t features1 = 64, features2 = 32;
  std::int64_t channels = 1;  // 1: luminance, 3: RGB
  Border border = Border::replicate;
  double range = 1;  // value of white inside the network
};

class Srcnn : public Upscaler {
 public:
  using Options = SrcnnOptions;
  static constexpr const char *network = "srcnn", *recipe = "upscaling";
  static std::vector<nn::Field> fields(Options& options);
  static std::optional<Options> recognise(const nn::StateDict& state);
  static std::vector<std::string> untold(const nn::StateDict& state);

  // Weights from N(0, 0.001²), biases zero.
  Srcnn(const Options& options, Generator& generator);

  std::string name() const override { return network; }
  Tensor operator()(const Tensor& lr) const override;
  // The three convolutions alone: x [N,channels,H,W] in [0,range], already as large as the result.
  Tensor restore(const Tensor& x) const;

 private:
  nn::RowLayers rows(const Shape& lr, DType dtype) const override;
  Tensor bordered(const Tensor& x, const nn::Conv2d& next) const;

  std::int64_t channels_;
  SrcnnOptions::Border border_;
  double range_;
  nn::Conv2d conv1_, conv2_, conv3_;
};

}  // namespace mini::models
