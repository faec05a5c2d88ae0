// RDN (Y. Zhang, Y. Tian, Y. Kong, B. Zhong, Y. Fu, "Residual dense network for image
// super-resolution", CVPR 2018).
//
//   x ─ SFENet1 ─┬─ SFENet2 ─ RDBs ─ cat of all ─ GFF ─ + ─ UPNet ─ y
//                └──────────────────────────────────────┘
//
// Images are in [0,1]; inside they are in [0,range]. Names are those of EDSR-PyTorch.
#pragma once

#include <optional>
#include <vector>

#include "models/upscale/mean_shift.h"
#include "models/upscale/upscaler.h"
#include "nn/field.h"
#include "nn/layers.h"
#include "nn/sequential.h"

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

class Rdn : public Upscaler {
 public:
  using Options = RdnOptions;
  static constexpr const char *network = "rdn", *recipe = "upscaling";
  static std::vector<nn::Field> fields(Options& options);
  static std::optional<Options> recognise(const nn::StateDict& state);
  static std::vector<std::string> untold(const nn::StateDict& state);

  Rdn(const Options& options, Generator& generator);

  std::string name() const override { return network; }
  // Files lack sub_mean and add_mean: then this network's stay.
  nn::StateDict translate(const nn::StateDict& state) const override;
  Tensor operator()(const Tensor& lr) const override;
  void checkpoint_blocks(bool on) override { blocks_.checkpoint_layers(on); }

 private:
  nn::RowLayers rows(const Shape& lr, DType dtype) const override;

  double range_;
  bool mean_shift_;
  MeanShift sub_mean_, add_mean_;  // in the state dict if they are used
  nn::Conv2d shallow1_, shallow2_;
  nn::Sequential blocks_, fusion_, upsampler_;
};

}  // namespace mini::models
