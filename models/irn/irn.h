// IRN: "Invertible Image Rescaling" (ECCV 2020), SAIN's ancestor and baseline: per factor of two
// one Haar level and then `vanilla_blocks` invertible blocks, all in one list `operations`.
#pragma once

#include <memory>
#include <vector>

#include "models/invertible/haar.h"
#include "models/invertible/invertible_rescaler.h"
#include "models/invertible/vanilla_block.h"
#include "nn/field.h"

namespace mini::models {

struct IrnOptions {
  std::int64_t scale = 2;           // 2, 4
  std::int64_t vanilla_blocks = 0;  // at each level; 0: the paper's 8
  std::int64_t growth = 32;         // channels that a dense block's convolution adds
};

class Irn : public FlowRescaler {
 public:
  using Options = IrnOptions;
  static constexpr const char *network = "irn", *recipe = "irn";
  static std::vector<nn::Field> fields(Options& options);
  static std::optional<Options> recognise(const nn::StateDict& state);

  Irn(const Options& options, Generator& generator);

  std::string name() const override { return network; }
  std::int64_t scale() const override { return scale_; }
  // LR is out[:, :3] in both directions.
  Flow flow(const Tensor& condition) const override;
  // N(0, 1)
  Tensor sample_latent(const Shape& shape, Generator& generator,
                       std::optional<ops::DrawPart> part) const override;

 private:
  struct Level {
    std::unique_ptr<HaarDownsampling> haar;
    std::vector<std::unique_ptr<VanillaInvBlock>> blocks;
  };
  std::int64_t scale_;
  std::vector<Level> levels_;
};

}  // namespace mini::models
