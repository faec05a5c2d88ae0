// RCAN (Y. Zhang, K. Li, K. Li, L. Wang, B. Zhong, Y. Fu, "Image super-resolution using very deep
// residual channel attention networks", ECCV 2018): residual groups of residual blocks with channel
// attention, in the frame of models/upscale/residual_upscaler.h. Names are the authors'.
//
// The authors meant to freeze sub_mean and add_mean, but trained them: their files hold full 3×3
// matrices, which are loaded as they are and not trained further.
#pragma once

#include <optional>
#include <vector>

#include "models/upscale/residual_upscaler.h"
#include "nn/field.h"

namespace mini::models {

struct RcanOptions {
  std::int64_t scale = 2;  // 2, 3, 4
  std::int64_t groups = 10, blocks = 20, features = 64;
  std::int64_t reduction = 16;  // channels per hidden channel of the attention
  double range = 255;
};

class Rcan : public ResidualUpscaler {
 public:
  using Options = RcanOptions;
  static constexpr const char *network = "rcan", *recipe = "upscaling";
  static std::vector<nn::Field> fields(Options& options);
  static std::optional<Options> recognise(const nn::StateDict& state);
  static std::vector<std::string> untold(const nn::StateDict& state);

  Rcan(const Options& options, Generator& generator);

  std::string name() const override { return network; }
  // The names in BasicSR's files of a network of so many groups and blocks.
  static nn::KeyTable basicsr_keys(std::int64_t groups, std::int64_t blocks);

 protected:
  nn::KeyTable own_basicsr_keys() const override {
    return basicsr_keys(static_cast<std::int64_t>(body_.size()) - 1, blocks_);
  }

 private:
  std::int64_t blocks_;
};

}  // namespace mini::models
