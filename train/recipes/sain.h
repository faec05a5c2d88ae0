// SAIN (AAAI 2023), section "Training objectives":
//   out, LR     = forward(HR)              LRq = quantise(LR)      LRc = DiffJPEG(LRq)
//   HRrec, LRrec = inverse(cat(LRc, z))
//   loss = λ_back·L1(HRrec, HR) + λ_forw/4·( L2(LR, LRref) + L2(out[:,:3], codec(LRref))
//                                          + L2(LRq, LRrec) + L2(out[:,:3], codec(LRq)) )
// where codec is the real one, a constant for the gradient, and what bits cost may be added
// (train/recipes/rescaling.h). Terms are reported as the official code
// logs them: the four L2 terms times λ_forw.
#pragma once

#include <vector>

#include "io/image.h"
#include "train/recipes/rescaling.h"

namespace mini::train {

class SainRecipe : public RescalingRecipe {
 public:
  struct Options : RescalingRecipe::Options {
    io::ImageFormat format = io::ImageFormat::jpeg;  // the real codec in the loop
  };
  static constexpr const char* recipe = "sain";
  static std::vector<nn::Field> fields(Options& options);
  static io::ImageFormat format(const Options& options) { return options.format; }

  SainRecipe(const Options& options, std::shared_ptr<models::Rescaler> network,
             Generator& generator);

  // Draws the codec's quality for a step, if all its images have one.
  std::optional<int> variant(std::size_t update, Generator& generator) const override;
  Losses losses(std::size_t update, const Batch& batch, std::optional<int> variant,
                Generator& generator, Share share) override;
  // The same with a given latent z [N,3(s²-1),H/s,W/s] (already scaled) and qualities, one for all images
  // or one for each.
  Losses losses(const Batch& batch, const Tensor& z, const std::vector<int>& qualities) const;

 private:
  Options options_;
};

}  // namespace mini::train
