// HaarDownsampling: one level of the Haar transform, halving the sides and quadrupling the
// channels. As a module it only has a place in the state dict; models/invertible/flow.cpp applies
// the functions haar and haar_inverse.
#pragma once

#include "nn/module.h"

namespace mini::models {

class HaarDownsampling : public nn::Module {
 public:
  explicit HaarDownsampling(std::int64_t channels);

  // log|det| per sample of this level for a [N,C,H,W] on its large side, as SAIN counts it.
  static double log_det(const Shape& large);

 private:
  // The four 2×2 filters once per channel, [4C,1,2,2]: fixed, here so that state dicts agree with
  // PyTorch's. The transform itself has them built in.
  Tensor haar_weights_;
};

}  // namespace mini::models
