// MeanShift: adds a constant to each colour, as a 1×1 convolution, because that is how EDSR-PyTorch
// stores it. Weight and bias are buffers: they are loaded and saved, but not trained.
#pragma once

#include "nn/layers.h"

namespace mini::models {

class MeanShift : public nn::PixelwiseLayer {
 public:
  // x + factor·m with the mean colour m of DIV2K, whose values are in [0,1].
  explicit MeanShift(double factor);
  Tensor operator()(const Tensor& x) const override;

 private:
  Tensor weight_, bias_;  // [3,3,1,1], [3]
};

}  // namespace mini::models
