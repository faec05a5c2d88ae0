// What T-IRN and T-SAIN, the successors of IRN and SAIN with three branches, have in common: levels
// of a Haar transform and TriBlocks, on YCbCr.
//
//   image ─ haar ─ YCbCr ─ down blocks ─ RGB ─ haar ─ YCbCr ─ down blocks ─┬─ comp blocks ─ RGB ─ out
//                          (level 1)                          (level 2)    └─ RGB = LR
//
// T-IRN has no comp blocks; its out is LR and the latent. Of T-SAIN, out[:, :3] models the compressed
// LR, as in SAIN. The latent is zero, in training and afterwards.
//
// The authors clamp RGB to [0,1] at each of these places, so where that cuts something off, inverse
// does not undo forward, and no gradient passes. `clamp_inside` false leaves the clamps out: then it
// is invertible up to rounding (the two matrices of YCbCr are inverse to each other to 4e-7 only).
//
// Its parts are no chain of models/invertible/chain.h, whose layers have two halves. So in training it
// keeps everything (memory mode `stored`) or, in all other modes, what goes into each block.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "models/invertible/haar.h"
#include "models/invertible/invertible_rescaler.h"
#include "models/tri/tri_block.h"
#include "nn/field.h"

namespace mini::models {

class TriRescaler : public InvertibleRescaler {
 public:
  std::int64_t scale() const override { return scale_; }
  FlowResult forward(const Tensor& x, bool with_log_det = false,
                     const Tensor& condition = {}) const override;
  FlowResult inverse(const Tensor& y, bool with_log_det = false,
                     const Tensor& condition = {}) const override;
  // Zeros.
  Tensor sample_latent(const Shape& shape, Generator& generator,
                       std::optional<ops::DrawPart> part) const override;

 protected:
  struct Structure {
    std::int64_t scale = 2;                 // 2, 4
    std::vector<std::int64_t> down_blocks;  // of each level
    std::int64_t comp_blocks = 0;
    std::int64_t growth = 32;
    bool clamp_inside = true;
  };
  TriRescaler(const Structure& structure, const char* network, Generator& generator);

  // Whether a state dict has TriBlocks.
  static bool is_tri(const nn::StateDict& state);
  // What the names in such a state dict say: the blocks there are, the growth and the scale. Throws
  // where they fit no network.
  static Structure structure_of(const nn::StateDict& state);
  // The rows that both networks have.
  template <class Options>
  static std::vector<nn::Field> common_fields(Options& options);

 private:
  using Blocks = std::vector<std::unique_ptr<TriBlock>>;
  enum class Way { forward, inverse };

  Tensor to_rgb(const Branches& x) const;
  Branches run(const Blocks& blocks, Way way, Branches x, Tensors* log_scales) const;

  std::int64_t scale_;
  bool clamp_inside_;
  struct Level {
    std::unique_ptr<HaarDownsampling> haar;
    Blocks down;
  };
  std::vector<Level> levels_;
  Blocks comp_;
};

template <class Options>
std::vector<nn::Field> TriRescaler::common_fields(Options& options) {
  const nn::Range blocks = nn::between(1, 100);
  return {
      {"scale", &options.scale, "HR side / LR side", {}, {"2", "4"}},
      {"down_blocks", &options.down_blocks, "blocks of the first level", blocks},
      {"down_blocks_2", &options.down_blocks_2, "blocks of the second level, at scale 4", blocks},
      {"growth", &options.growth, "channels that each convolution of a dense block adds",
       nn::between(1, 1024)},
      {"clamp_inside", &options.clamp_inside,
       "cut RGB off at 0 and 1 between the levels, as the authors do"},
  };
}

}  // namespace mini::models
