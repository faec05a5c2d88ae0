// TriBlock, the block of T-IRN and T-SAIN: an invertible block on three parts of the channels, the
// colours x1 (Cb, Cr), the detail x2 and the luminance x3 (Y), each changed by the other two.
//
//   y1 = x1 + E(x3) + F(x2)      y3 = x3 + K(y1) + L(x2)
//   y2 = x2·exp(σ(H(y1)) + σ(J(y3))) + G(y1) + I(y3),    σ(v) = 2·sigmoid(v) - 1
//
// The inverse undoes y2, then y3, then y1. Read next: models/tri/tri_rescaler.h.
#pragma once

#include "models/invertible/dense_block.h"

namespace mini::models {

struct Branches {
  Tensor chroma, detail, luma;  // [N,2,H,W], [N,C-3,H,W], [N,1,H,W]
};

class TriBlock : public nn::Module {
 public:
  TriBlock(std::int64_t channels, std::int64_t growth, Generator& generator);

  // Adds the two σ to *log_scales unless that is null.
  Branches forward(const Branches& x, Tensors* log_scales = nullptr) const;
  Branches inverse(const Branches& y, Tensors* log_scales = nullptr) const;

 private:
  DenseBlock e_, f_, g_, h_, i_, j_, k_, l_;
};

}  // namespace mini::models
