// What the recipes of invertible rescaling networks have in common.
#pragma once

#include "models/invertible/invertible_rescaler.h"
#include "nn/field.h"
#include "train/recipe.h"

namespace mini::train {

class RescalingRecipe : public OneNetworkRecipe {
 public:
  struct Options {
    double lambda_back = 1;   // weight of the reconstruction
    double lambda_forw = 4;   // weight of the downscaling terms; the papers: 4 (x2), 16 (x4)
    double latent_scale = 1;  // factor of the latent sample
    models::MemoryMode memory = models::MemoryMode::exact;
  };
  static std::vector<nn::Field> fields(Options& options);

  // Throws for a network that is not invertible.
  RescalingRecipe(const Options& options, std::shared_ptr<models::Rescaler> network);

 protected:
  const models::InvertibleRescaler& invertible() const { return invertible_; }
  // The latent [N,3(s²-1),h,w] of a batch, times latent_scale: this share of the one that is drawn
  // for the whole batch.
  Tensor draw_latent(const Batch& batch, Generator& generator, Share share) const;

 private:
  models::InvertibleRescaler& invertible_;
  double latent_scale_;
};

}  // namespace mini::train
