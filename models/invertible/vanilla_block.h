// VanillaInvBlock (SAIN, "vanilla invertible block"; InvBlockExp in IRN):
//
//   y1 = x1 + F(x2)      s = 2·sigmoid(H(y1)) - 1      y2 = x2·exp(s) + G(y1)
//   inverse: s as above,  x2 = (y2 - G(y1))/exp(s),     x1 = y1 - F(x2)
//
// Read next: models/sain/enhanced_block.h.
#pragma once

#include "models/invertible/block.h"
#include "models/invertible/dense_block.h"

namespace mini::models {

class VanillaInvBlock : public InvertibleBlock {
 public:
  // x1 has `split` channels, x2 the other `channels - split`.
  VanillaInvBlock(std::int64_t channels, std::int64_t split, std::int64_t growth,
                  Generator& generator, Condition condition = Condition::none);

  std::vector<Coupling> couplings(const Tensor& condition) const override;

 private:
  DenseBlock f_, g_, h_;
};

}  // namespace mini::models
