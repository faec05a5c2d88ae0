// CAR & EDSR, trained together (IEEE TIP 2020):
//   LR = quantise(resample(HR, kernels)), straight-through,  SR = EDSR(LR)
//   loss = mean |SR - HR| + λ_variation·variation of the offsets + λ_offset·their length
// (models/car/kernel_network.h has the last two). The authors published no training code; the
// weights and the optimiser in configs/car.json are those of a later reimplementation.
#pragma once

#include "io/image.h"
#include "models/car/car.h"
#include "nn/field.h"
#include "train/recipe.h"
#include "train/recipes/block_memory.h"

namespace mini::train {

class CarRecipe : public OneNetworkRecipe {
 public:
  struct Options {
    double lambda_variation = 0.005, lambda_offset = 0.001;
    BlockMemory memory = BlockMemory::stored;
  };
  static constexpr const char* recipe = "car";
  static std::vector<nn::Field> fields(Options& options);
  static void validate(const Options& /*options*/) {}
  static io::ImageFormat format(const Options& /*options*/) { return io::ImageFormat::png; }

  // Throws for any other network.
  CarRecipe(const Options& options, std::shared_ptr<models::Rescaler> network,
            Generator& generator);

  Losses losses(std::size_t update, const Batch& batch, std::optional<int> variant,
                Generator& generator, Share share) override;

 private:
  Options options_;
  const models::Car& car_;
};

}  // namespace mini::train
