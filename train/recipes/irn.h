// IRN (ECCV 2020): λ_back·L1(HRrec, HR) + λ_forw·L2(LR, LRref) + λ_prior·(batch mean of Σ z²)/2,
// with HRrec = inverse(cat(quantise(LR), z')), z' ~ N(0,1); no codec, unless bits cost something
// (train/recipes/rescaling.h).
#pragma once

#include "io/image.h"
#include "train/recipes/rescaling.h"

namespace mini::train {

class IrnRecipe : public RescalingRecipe {
 public:
  struct Options : RescalingRecipe::Options {
    double lambda_prior = 1;  // weight of the latent's prior
    io::ImageFormat format = io::ImageFormat::jpeg;
  };
  static constexpr const char* recipe = "irn";
  static std::vector<nn::Field> fields(Options& options);
  static io::ImageFormat format(const Options& options) { return options.format; }

  IrnRecipe(const Options& options, std::shared_ptr<models::Rescaler> network,
            Generator& generator);

  std::optional<int> variant(std::size_t update, Generator& generator) const override;
  Losses losses(std::size_t update, const Batch& batch, std::optional<int> variant,
                Generator& generator, Share share) override;

 private:
  Options options_;
};

}  // namespace mini::train
