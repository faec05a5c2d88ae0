// RRDBNet, the generator of ESRGAN and Real-ESRGAN (X. Wang, L. Xie, C. Dong, Y. Shan,
// "Real-ESRGAN", ICCV workshops 2021), here trained for fidelity.
//
//   x ─ conv_first ─┬─ RRDBs ─ conv_body ─ + ─ [nearest ×2 ─ conv_up ─ LReLU] twice ─
//                   └──────────────────────┘     conv_hr ─ LReLU ─ conv_last ─ y
//
// It enlarges four times. For scales 2 and 1, BasicSR first makes the image small, 2×2 or 4×4
// pixels becoming channels, and the same network follows. Images are in [0,1]; names are BasicSR's.
#pragma once

#include <optional>
#include <vector>

#include "models/upscale/rrdb.h"
#include "models/upscale/upscaler.h"
#include "nn/field.h"
#include "nn/key_table.h"
#include "nn/sequential.h"

namespace mini::models {

struct RrdbOptions {
  std::int64_t scale = 4;  // 1, 2, 4
  std::int64_t blocks = 23, features = 64, growth = 32;
};

class RrdbNet : public Upscaler {
 public:
  using Options = RrdbOptions;
  static constexpr const char *network = "rrdb", *recipe = "upscaling";
  static std::vector<nn::Field> fields(Options& options);
  static std::optional<Options> recognise(const nn::StateDict& state);

  RrdbNet(const Options& options, Generator& generator);

  std::string name() const override { return network; }
  // At scales 2 and 1, sides that are no multiples of 2 and 4 are continued by their last pixels.
  Tensor operator()(const Tensor& lr) const override;
  void checkpoint_blocks(bool on) override { body_.checkpoint_layers(on); }

  // The names of the same weights in ESRGAN's files, and in its oldest ones of so many blocks.
  static nn::KeyTable esrgan_keys();
  static nn::KeyTable oldest_keys(std::int64_t blocks);
  nn::StateDict translate(const nn::StateDict& state) const override;

 private:
  nn::RowLayers rows(const Shape& lr, DType dtype) const override;

  std::int64_t unshuffle_;
  nn::Conv2d first_;
  nn::Sequential body_;
  nn::Conv2d conv_body_, up1_, up2_, hr_, last_;
};

}  // namespace mini::models
