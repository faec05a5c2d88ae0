// ResidualUpscaler: the frame that EDSR and RCAN have in common.
//
//   x ─ sub_mean ─ head ─┬─ body ─ + ─ tail (Upsampler, convolution) ─ add_mean ─ y
//                        └─────────┘
//
// Images are in [0,1]; inside they are in [0,range]. The derived class fills the body.
#pragma once

#include "models/upscale/mean_shift.h"
#include "models/upscale/upscaler.h"
#include "nn/key_table.h"
#include "nn/sequential.h"

namespace mini::models {

class ResidualUpscaler : public Upscaler {
 public:
  Tensor operator()(const Tensor& lr) const override;
  void checkpoint_blocks(bool on) override { body_.checkpoint_layers(on); }

  // From BasicSR's names, too. Its files lack sub_mean and add_mean: then this network's stay.
  nn::StateDict translate(const nn::StateDict& state) const override;

 protected:
  // The range that sub_mean in these weights speaks of; 255 if it is missing or of no use.
  static double range_of(const nn::StateDict& state);
  ResidualUpscaler(std::int64_t scale, std::int64_t features, double range, const char* network);
  // The names of this network's weights in BasicSR's files.
  virtual nn::KeyTable own_basicsr_keys() const = 0;
  // The rows of such a table for all but the inner names of a body of so many blocks.
  static std::vector<nn::KeyTable::Row> frame_keys(std::int64_t blocks);

  nn::Sequential body_;

 private:
  nn::RowLayers rows(const Shape& lr, DType dtype) const override;

  double range_;
  MeanShift sub_mean_, add_mean_;
  nn::Sequential head_, tail_;
};

}  // namespace mini::models
