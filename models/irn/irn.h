// IRN: "Invertible Image Rescaling" (ECCV 2020), SAIN's ancestor and baseline: per factor of two
// one Haar level and then `vanilla_blocks` invertible blocks, all in one list `operations`.
#pragma once

#include <memory>
#include <vector>

#include "models/invertible/haar.h"
#include "models/invertible/vanilla_block.h"
#include "models/rescaler.h"

namespace mini::models {

class Irn : public Rescaler {
 public:
  Irn(const RescalerConfig& config, Generator& generator);

  std::string name() const override { return "irn"; }
  std::int64_t scale() const override { return scale_; }
  // LR is out[:, :3] in both directions.
  Flow flow() const override;
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
