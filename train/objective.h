// Training objectives: from a network and a batch to the loss and its named terms.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "io/image.h"
#include "models/invertible/invertible_rescaler.h"
#include "train/collective.h"

namespace mini::train {

struct LossTerm {
  std::string name;
  Tensor value;  // one element, on the device: reading it waits for the whole pass
};

struct Losses {
  Tensor total;  // one element, to be differentiated
  std::vector<LossTerm> terms;
};

struct ObjectiveOptions {
  double lambda_back = 1;   // weight of the reconstruction
  double lambda_forw = 4;   // weight of the downscaling terms; the papers: 4 (x2), 16 (x4)
  double lambda_prior = 1;  // IRN: weight of the latent's prior
  double latent_scale = 1;  // factor of the latent sample
  io::ImageFormat format = io::ImageFormat::jpeg;  // the real codec in the loop
  std::vector<int> qualities = {75};               // drawn from, once per step
};

class Objective {
 public:
  virtual ~Objective() = default;
  // What a step draws before anything else, and decides which ops it consists of: two steps of one
  // variant differ in values alone.
  virtual int variant([[maybe_unused]] Generator& generator) const { return 0; }
  // hr [N,3,H,W] in [0,1], lr_reference its bicubic LR [N,3,H/s,W/s]; they may be one share of a
  // batch. Draws the step's noise from `generator`, that of the whole batch, and takes its share.
  // Everything in the result must be a mean over the samples: then the mean over the shares is that
  // of the whole batch.
  virtual Losses losses(const models::InvertibleRescaler& network, const Tensor& hr,
                        const Tensor& lr_reference, int variant, Generator& generator,
                        Share share) const = 0;

  // Both.
  Losses operator()(const models::InvertibleRescaler& network, const Tensor& hr,
                    const Tensor& lr_reference, Generator& generator, Share share = {}) const {
    const int chosen = variant(generator);
    return losses(network, hr, lr_reference, chosen, generator, share);
  }
};

// SAIN (AAAI 2023), section "Training objectives":
//   out, LR     = forward(HR)              LRq = quantise(LR)      LRc = DiffJPEG(LRq)
//   HRrec, LRrec = inverse(cat(LRc, z))
//   loss = λ_back·L1(HRrec, HR) + λ_forw/4·( L2(LR, LRref) + L2(out[:,:3], codec(LRref))
//                                          + L2(LRq, LRrec) + L2(out[:,:3], codec(LRq)) )
// where codec is the real one, a constant for the gradient. Terms are reported as the official code
// logs them: the four L2 terms times λ_forw.
class SainObjective : public Objective {
 public:
  explicit SainObjective(ObjectiveOptions options);
  int variant(Generator& generator) const override;  // the codec's quality
  Losses losses(const models::InvertibleRescaler& network, const Tensor& hr,
                const Tensor& lr_reference, int variant, Generator& generator,
                Share share) const override;
  using Objective::operator();
  // The same with a given latent z [N,3(s²-1),H/s,W/s] (already scaled) and quality.
  Losses operator()(const models::InvertibleRescaler& network, const Tensor& hr,
                    const Tensor& lr_reference, const Tensor& z, int quality) const;

 private:
  ObjectiveOptions options_;
};

// IRN (ECCV 2020): λ_back·L1(HRrec, HR) + λ_forw·L2(LR, LRref) + λ_prior·(batch mean of Σ z²)/2,
// with HRrec = inverse(cat(quantise(LR), z')), z' ~ N(0,1); no codec.
class IrnObjective : public Objective {
 public:
  explicit IrnObjective(ObjectiveOptions options);
  Losses losses(const models::InvertibleRescaler& network, const Tensor& hr,
                const Tensor& lr_reference, int variant, Generator& generator,
                Share share) const override;

 private:
  ObjectiveOptions options_;
};

// The objective of a network by its name(): sain or irn.
std::unique_ptr<Objective> make_objective(const std::string& network, ObjectiveOptions options);

}  // namespace mini::train
