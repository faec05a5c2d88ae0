// ResidualUpscaler: the frame that EDSR and RCAN have in common.
//
//   x ─ sub_mean ─ head ─┬─ body ─ + ─ tail (Upsampler, convolution) ─ add_mean ─ y
//                        └─────────┘
//
// Images are in [0,1]; inside they are in [0,range]. The derived class fills the body.
#pragma once

#include "models/upscale/mean_shift.h"
#include "nn/key_table.h"
#include "nn/sequential.h"

namespace mini::models {

class ResidualUpscaler : public nn::Module {
 public:
  // x [N,3,H,W] -> [N,3,scale·H,scale·W]
  Tensor operator()(const Tensor& x) const;

  // The names of the same weights in BasicSR's files, which lack sub_mean and add_mean.
  virtual nn::KeyTable basicsr_keys() const = 0;
  // A state dict in either spelling in this one's, with this network's sub_mean and add_mean where
  // it has none.
  nn::StateDict translate(const nn::StateDict& state) const;

 protected:
  ResidualUpscaler(std::int64_t scale, std::int64_t features, double range, const char* network);
  // The rows of basicsr_keys() for all but the body.
  std::vector<nn::KeyTable::Row> frame_keys() const;

  nn::Sequential body_;

 private:
  double range_;
  MeanShift sub_mean_, add_mean_;
  nn::Sequential head_, tail_;
};

}  // namespace mini::models
