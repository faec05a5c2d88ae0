// RDN (Y. Zhang, Y. Tian, Y. Kong, B. Zhong, Y. Fu, "Residual dense network for image
// super-resolution", CVPR 2018).
//
//   x ─ SFENet1 ─┬─ SFENet2 ─ RDBs ─ cat of all ─ GFF ─ + ─ UPNet ─ y
//                └──────────────────────────────────────┘
//
// Images are in [0,1]; inside they are in [0,range]. Names are those of EDSR-PyTorch.
#pragma once

#include "models/upscale/mean_shift.h"
#include "nn/layers.h"
#include "nn/sequential.h"
#include "tensor/random.h"

namespace mini::models {

// The paper's network (configuration B); A has 20 blocks of 6 layers, growth 32.
struct RdnOptions {
  std::int64_t scale = 2;  // 2, 3, 4
  std::int64_t blocks = 16, layers = 8, growth = 64;
  std::int64_t features = 64;
  double range = 255;
  // The authors' code takes the mean colour away first and adds it at the end; EDSR-PyTorch's does
  // not.
  bool mean_shift = false;
};

class Rdn : public nn::Module {
 public:
  Rdn(const RdnOptions& options, Generator& generator);
  // x [N,3,H,W] -> [N,3,scale·H,scale·W]
  Tensor operator()(const Tensor& x) const;

 private:
  double range_;
  bool mean_shift_;
  MeanShift sub_mean_, add_mean_;  // not in the state dict
  nn::Conv2d shallow1_, shallow2_;
  nn::Sequential blocks_, fusion_, upsampler_;
};

}  // namespace mini::models
