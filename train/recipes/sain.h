// SAIN (AAAI 2023), section "Training objectives":
//   out, LR     = forward(HR)              LRq = quantise(LR)      LRc = DiffJPEG(LRq)
//   HRrec, LRrec = inverse(cat(LRc, z))
//   loss = λ_back·L1(HRrec, HR) + λ_forw/4·( L2(LR, LRref) + L2(out[:,:3], codec(LRref))
//                                          + L2(LRq, LRrec) + L2(out[:,:3], codec(LRq)) )
// where codec is the real one, a constant for the gradient. Terms are reported as the official code
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
    std::vector<int> qualities = {75};               // drawn from, once per step
  };
  static constexpr const char* recipe = "sain";
  static std::vector<nn::Field> fields(Options& options);
  static void validate(const Options& options);
  static io::ImageFormat format(const Options& options) { return options.format; }

  SainRecipe(const Options& options, std::shared_ptr<models::Rescaler> network,
             Generator& generator);

  // The codec's quality.
  std::optional<int> variant(std::size_t update, Generator& generator) const override;
  Losses losses(std::size_t update, const Batch& batch, std::optional<int> variant,
                Generator& generator, Share share) override;
  // The same with a given latent z [N,3(s²-1),H/s,W/s] (already scaled) and quality.
  Losses losses(const Batch& batch, const Tensor& z, int quality) const;

 private:
  Options options_;
};

}  // namespace mini::train
