// Fusion: GRAIN's third module, which decodes HR from what InvRRDB's decoder and StyleGAN2 know, at
// the three highest resolutions.
//
//   decoder feature ─┐
//                   cat ─ se ─ conv ─ nearest up to full size ─┐
//   StyleGAN2's ─────┘                                         cat of the three ─ se4 ─ out ─ HR
//
// Names are the official ones.
#pragma once

#include <memory>
#include <vector>

#include "models/blocks/squeeze_excite.h"
#include "models/grain/options.h"
#include "nn/sequential.h"
#include "tensor/random.h"

namespace mini::models {

class Fusion : public nn::Module {
 public:
  Fusion(const GrainOptions& options, Generator& generator);
  // The features of InvRrdbDecoder and those of StyleGan2Generator, of which the last three are
  // read -> [N,3,size,size].
  Tensor operator()(const std::vector<Tensor>& decoder, const std::vector<Tensor>& prior) const;

 private:
  struct Level {
    Level(std::int64_t features, std::int64_t prior);
    SqueezeExcite se;
    nn::Sequential conv;
  };
  static constexpr std::size_t levels = 3;
  std::vector<std::unique_ptr<Level>> levels_;
  std::unique_ptr<SqueezeExcite> se4_;
  nn::Sequential out_;
};

}  // namespace mini::models
