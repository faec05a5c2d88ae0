// What the recipes of invertible rescaling networks have in common: the latent, the qualities of the codec,
// and the price of the bits that the small image takes.
//
//   rate = loss.rate · mean over the batch of max(0, bits(LR) - bits(LRref))
//
// bits() is jpeg_bits (autograd/functions.h), the size of a JPEG file as a differentiable function, at the
// quality drawn for the image. A network that is trained without it hides what it can in the LR, which
// makes the files larger than those of the bicubic LR. This is an exact penalty for the constraint that
// they be not: from some weight on, the optimum has bits(LR) <= bits(LRref), and no network is rewarded
// for an LR that is poorer than it has to be. Like the other losses it is a sum over an image's pixels.
#pragma once

#include "models/invertible/invertible_rescaler.h"
#include "nn/field.h"
#include "train/recipe.h"

namespace mini::train {

class RescalingRecipe : public OneNetworkRecipe {
 public:
  enum class Draw { step, image };
  struct Options {
    double lambda_back = 1;   // weight of the reconstruction
    double lambda_forw = 4;   // weight of the downscaling terms; the papers: 4 (x2), 16 (x4)
    double latent_scale = 1;  // factor of the latent sample
    double rate = 0;          // weight of the LR's bits beyond those of the bicubic LR
    std::vector<int> qualities = {75};  // of the codec: one is drawn for each step or each image
    Draw draw = Draw::step;
    models::MemoryMode memory = models::MemoryMode::exact;
  };
  static std::vector<nn::Field> fields(Options& options);
  static void validate(const Options& options);

  // Throws for a network that is not invertible.
  RescalingRecipe(const Options& options, std::shared_ptr<models::Rescaler> network);

 protected:
  const models::InvertibleRescaler& invertible() const { return invertible_; }
  // The latent [N,3(s²-1),h,w] of a batch, times latent_scale: this share of the one that is drawn
  // for the whole batch.
  Tensor draw_latent(const Batch& batch, Generator& generator, Share share) const;
  // The codec's quality for the images of a batch: one for each, or one for all of them.
  std::vector<int> draw_qualities(const Batch& batch, Generator& generator, Share share) const;
  int draw_quality(Generator& generator) const;
  // Whether nothing but values depends on the noise of a step, once its one quality is known.
  bool replayable() const { return options_.draw == Draw::step && options_.rate == 0; }
  // The term above, if it has a weight: added to the total and to the terms.
  void add_rate(Losses& losses, const Tensor& lr_quantised, const Batch& batch,
                const std::vector<int>& qualities) const;

 private:
  Options options_;
  models::InvertibleRescaler& invertible_;
};

}  // namespace mini::train
