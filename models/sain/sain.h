// SAIN: "Self-Asymmetric Invertible Network for Compression-Aware Image Rescaling" (AAAI 2023).
//
//   HR ─ haar_operations ─ down_operations (enhanced blocks) ─ comp_operations (vanilla) ─ out
//                                     └ LR of the last enhanced block
//
// With a condition (models/invertible/invertible_rescaler.h) the subnets on which LR does not depend are
// told of the quality: F, G and H of the last enhanced block and all of the vanilla ones. They model what
// the codec does to LR, and are the first that undo it.
//
// out[:, :3] models the compressed LR, out[:, 3:] the latent z, drawn from `gmm` when upscaling.
#pragma once

#include <memory>
#include <vector>

#include "models/invertible/haar.h"
#include "models/invertible/invertible_rescaler.h"
#include "models/invertible/vanilla_block.h"
#include "models/sain/enhanced_block.h"
#include "models/sain/mixture.h"
#include "nn/field.h"

namespace mini::models {

struct SainOptions {
  std::int64_t scale = 2;                                // 2, 4
  std::int64_t enhanced_blocks = 0, vanilla_blocks = 0;  // 0: the paper's, 5 + 3 (x2), 10 + 6 (x4)
  std::int64_t growth = 32;  // channels that a dense block's convolution adds
  Condition condition = Condition::none;
};

class Sain : public FlowRescaler {
 public:
  using Options = SainOptions;
  static constexpr const char *network = "sain", *recipe = "sain";
  static std::vector<nn::Field> fields(Options& options);
  static std::optional<Options> recognise(const nn::StateDict& state);

  Sain(const Options& options, Generator& generator);

  std::string name() const override { return network; }
  std::int64_t scale() const override { return scale_; }
  bool has_condition() const override { return condition_ != Condition::none; }
  Flow flow(const Tensor& condition) const override;
  Tensor sample_latent(const Shape& shape, Generator& generator,
                       std::optional<ops::DrawPart> part) const override;
  // Weights of a network without the condition get zeros for it: both then compute the same.
  nn::StateDict translate(const nn::StateDict& state) const override;

  const GaussianMixture& mixture() const { return gmm_; }

 private:
  std::int64_t scale_;
  Condition condition_;
  std::vector<std::unique_ptr<HaarDownsampling>> haar_operations_;
  std::vector<std::unique_ptr<EnhancedInvBlock>> down_operations_;
  std::vector<std::unique_ptr<VanillaInvBlock>> comp_operations_;
  GaussianMixture gmm_;
};

}  // namespace mini::models
