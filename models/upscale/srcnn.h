// SRCNN (C. Dong, C. C. Loy, K. He, X. Tang, "Image super-resolution using deep convolutional
// networks", TPAMI 2016): three convolutions on an image that bicubic interpolation has enlarged.
//
//   conv1 k1×k1, 64 features ─ ReLU ─ conv2 k2×k2, 32 features ─ ReLU ─ conv3 k3×k3
//
// The paper's networks 9-1-5, 9-3-5 and 9-5-5 see luminance only (one channel).
#pragma once

#include <array>

#include "nn/layers.h"
#include "tensor/random.h"

namespace mini::models {

struct SrcnnOptions {
  // What a convolution finds outside of the image. The authors' test code repeats the border before
  // each layer, they train without any padding (so the image shrinks), and PyTorch ports have
  // zeros.
  enum class Border { replicate, zero, none };

  std::array<std::int64_t, 3> kernels{9, 5, 5};
  std::array<std::int64_t, 2> features{64, 32};
  std::int64_t channels = 1;
  Border border = Border::replicate;
};

class Srcnn : public nn::Module {
 public:
  // Weights from N(0, 0.001²), biases zero.
  Srcnn(const SrcnnOptions& options, Generator& generator);

  // x [N,channels,H,W] in [0,1], already as large as the result.
  Tensor operator()(const Tensor& x) const;

 private:
  Tensor bordered(const Tensor& x, const nn::Conv2d& next) const;

  SrcnnOptions::Border border_;
  nn::Conv2d conv1_, conv2_, conv3_;
};

}  // namespace mini::models
