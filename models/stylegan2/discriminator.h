// StyleGAN2's discriminator (T. Karras et al., CVPR 2020, figure 7c), with the names of rosinality's
// PyTorch port: a 1×1 convolution from RGB, residual blocks down to 4×4, and two linear layers.
//
//   x ─┬─ conv3×3 ─ blur ─ conv3×3 /2 ─ + ─ /√2        a residual block
//      └─ blur ─ conv1×1 /2 ────────────┘
//
// At 4×4 one more channel says how much the samples of a batch differ (minibatch_stddev), so that a
// generator that makes one picture over and over is found out.
#pragma once

#include "models/stylegan2/equalised.h"
#include "models/stylegan2/options.h"

namespace mini::models {

class StyleGan2Discriminator : public nn::Module {
 public:
  StyleGan2Discriminator(const StyleGan2Options& options, Generator& generator);
  // [N,3,size,size] -> logits [N,1]. N is at most 4 or a multiple of 4.
  Tensor operator()(const Tensor& image) const;

 private:
  std::int64_t size_;
  nn::Sequential convs_, final_conv_, final_linear_;
};

}  // namespace mini::models
