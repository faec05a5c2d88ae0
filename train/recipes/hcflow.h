// HCFlow (ICCV 2021), rescaling: with LR, z1, z2 = forward(HR) and LRq = quantise(clamp(LR)),
//   loss = mean |clamp(inverse(LRq, ε)) - HR| + λ_forw·mean (clamp(LR) - LRref)² + λ_latent·mean z²
// where ε ~ N(0,1) and the last mean is over z1 and z2 together. The authors leave out terms that are
// not finite and cut every element of the gradient off at 5; here a step that is not finite ends the
// run, and only the norm is clipped.
#pragma once

#include "io/image.h"
#include "models/hcflow/hcflow.h"
#include "nn/field.h"
#include "train/recipe.h"
#include "train/recipes/block_memory.h"

namespace mini::train {

class HcFlowRecipe : public OneNetworkRecipe {
 public:
  struct Options {
    double lambda_forw = 0.05, lambda_latent = 1e-5;
    BlockMemory memory = BlockMemory::stored;
  };
  static constexpr const char* recipe = "hcflow";
  static std::vector<nn::Field> fields(Options& options);
  static void validate(const Options& /*options*/) {}
  static io::ImageFormat format(const Options& /*options*/) { return io::ImageFormat::png; }

  // Throws for any other network.
  HcFlowRecipe(const Options& options, std::shared_ptr<models::Rescaler> network,
               Generator& generator);

  Losses losses(std::size_t update, const Batch& batch, std::optional<int> variant,
                Generator& generator, Share share) override;
  // The first batch as a whole sets the ActNorms.
  bool divisible() const override { return false; }

 private:
  Options options_;
  const models::HcFlow& flow_;
};

}  // namespace mini::train
