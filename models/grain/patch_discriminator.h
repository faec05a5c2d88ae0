// The discriminator of GRAIN's first stage: a fully convolutional network that judges patches of a
// picture (P. Isola et al., "Image-to-image translation with conditional adversarial networks", CVPR
// 2017). At each of the widths 64, 128, 256 and 512, a convolution with stride 1 and one with stride
// 2, each followed by BatchNorm, but the very first, and LeakyReLU 0.2.
#pragma once

#include "nn/sequential.h"
#include "tensor/random.h"

namespace mini::models {

class PatchDiscriminator : public nn::Layer {
 public:
  // The widths are `width` times 1, 2, 4 and 8.
  explicit PatchDiscriminator(Generator& generator, std::int64_t width = 64);
  // [N,3,H,W] -> logits [N,1,H/16,W/16]
  Tensor operator()(const Tensor& x) const override { return model_(x); }

 private:
  nn::Sequential model_;
};

}  // namespace mini::models
