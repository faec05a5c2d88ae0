// EDSR (B. Lim, S. Son, H. Kim, S. Nah, K. M. Lee, "Enhanced deep residual networks for single
// image super-resolution", CVPRW 2017): residual blocks without normalisation in the frame of
// models/upscale/residual_upscaler.h. Names are those of EDSR-PyTorch.
#pragma once

#include <optional>
#include <vector>

#include "models/upscale/residual_upscaler.h"
#include "nn/field.h"

namespace mini::models {

// The paper's network; its baseline has 16 blocks, 64 features and residual_scale 1.
struct EdsrOptions {
  std::int64_t scale = 2;  // 2, 3, 4
  std::int64_t blocks = 32, features = 256;
  double residual_scale = 0.1;
  double range = 255;
};

class Edsr : public ResidualUpscaler {
 public:
  using Options = EdsrOptions;
  static constexpr const char *network = "edsr", *recipe = "upscaling";
  static std::vector<nn::Field> fields(Options& options);
  static std::optional<Options> recognise(const nn::StateDict& state);
  static std::vector<std::string> untold(const nn::StateDict& state);

  Edsr(const Options& options, Generator& generator);

  std::string name() const override { return network; }
  // The names in BasicSR's files of a network of so many blocks.
  static nn::KeyTable basicsr_keys(std::int64_t blocks);

 protected:
  nn::KeyTable own_basicsr_keys() const override {
    return basicsr_keys(static_cast<std::int64_t>(body_.size()) - 1);
  }
};

}  // namespace mini::models
