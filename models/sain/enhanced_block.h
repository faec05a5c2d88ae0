// EnhancedInvBlock (SAIN, "enhanced invertible block"): models the high-quality LR explicitly, then
// what compression takes from it.
//
//   LR = x1 + E(x2)     y1 = LR - F(x2)     s = 2·sigmoid(H(y1)) - 1     y2 = x2·exp(s) + G(y1)
//   inverse: s as above, x2 = (y2 - G(y1))/exp(s),  LR = y1 + F(x2),  x1 = LR - E(x2)
//
// Read next: models/sain/sain.h.
#pragma once

#include "models/invertible/block.h"
#include "models/invertible/dense_block.h"

namespace mini::models {

class EnhancedInvBlock : public InvertibleBlock {
 public:
  // The condition is that of F, G and H: E makes the LR, before any codec.
  EnhancedInvBlock(std::int64_t channels, std::int64_t split, std::int64_t growth,
                   Generator& generator, Condition condition = Condition::none);

  std::vector<Coupling> couplings(const Tensor& condition) const override;
  // Where the LR is among its layers: behind the first, in half 0.
  static constexpr Tap lr{1, 0};

 private:
  DenseBlock e_, f_, g_, h_;
};

}  // namespace mini::models
