// The body of an invertible rescaling network: levels of Haar transforms, each followed by a chain
// of coupling layers on two halves of the channels, the image-like three and the rest.
//
//   image [N,3,H,W]  ─ haar … ─ layers ─ haar … ─ layers ─▶  out [N,3s²,H/s,W/s]
//                                           └ LR
//
// The same description runs forward, runs inverse, goes backward in any memory mode
// (models/invertible/chain.h) and streams rows (models/invertible/strips.h).
#pragma once

#include <vector>

#include "models/invertible/block.h"
#include "models/invertible/chain.h"

namespace mini::models {

constexpr std::int64_t image_channels = 3;

struct FlowResult {
  Tensor out;      // forward: [N,3s²,h,w]; inverse: [N,3,H,W]
  Tensor lr;       // the LR inside the network, [N,3,h,w]
  Tensor log_det;  // one element: Σ over layers of Σs / N, plus Haar; undefined unless asked for
};

struct Flow {
  struct Level {
    int haar = 1;  // transforms in front of the layers
    std::vector<Coupling> chain{};

    void append(const InvertibleBlock& block, const Tensor& condition = {});
  };
  struct Options {
    MemoryMode memory = MemoryMode::exact;
    bool log_det = false;
  };
  std::vector<Level> levels;
  Tap lr;  // where the LR is, in the last level

  FlowResult forward(const Tensor& x, const Options& options) const;
  FlowResult inverse(const Tensor& y, const Options& options) const;

  // Without the layers on which the LR does not depend: forward gives the same lr (and another out).
  Flow to_lr() const;
};

}  // namespace mini::models
