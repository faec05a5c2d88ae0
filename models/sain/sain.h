// SAIN: "Self-Asymmetric Invertible Network for Compression-Aware Image Rescaling" (AAAI 2023).
//
//   HR ─ haar_operations ─ down_operations (enhanced blocks) ─ comp_operations (vanilla) ─ out
//                                     └ LR of the last enhanced block
//
// out[:, :3] models the compressed LR, out[:, 3:] the latent z, drawn from `gmm` when upscaling.
#pragma once

#include <memory>
#include <vector>

#include "models/invertible/haar.h"
#include "models/invertible/vanilla_block.h"
#include "models/rescaler.h"
#include "models/sain/enhanced_block.h"
#include "models/sain/mixture.h"

namespace mini::models {

class Sain : public Rescaler {
 public:
  Sain(const RescalerConfig& config, Generator& generator);

  std::string name() const override { return "sain"; }
  std::int64_t scale() const override { return scale_; }
  Flow flow() const override;
  Tensor sample_latent(const Shape& shape, Generator& generator,
                       std::optional<ops::DrawPart> part) const override;

  const GaussianMixture& mixture() const { return gmm_; }

 private:
  std::int64_t scale_;
  std::vector<std::unique_ptr<HaarDownsampling>> haar_operations_;
  std::vector<std::unique_ptr<EnhancedInvBlock>> down_operations_;
  std::vector<std::unique_ptr<VanillaInvBlock>> comp_operations_;
  GaussianMixture gmm_;
};

}  // namespace mini::models
