#include "models/sain/enhanced_block.h"

#include "autograd/functions.h"

namespace mini::models {

EnhancedInvBlock::EnhancedInvBlock(std::int64_t channels, std::int64_t split, std::int64_t growth,
                                   Generator& generator)
    : e_(channels - split, split, growth, generator),
      f_(channels - split, split, growth, generator),
      g_(split, channels - split, growth, generator),
      h_(split, channels - split, growth, generator) {
  register_module("E", e_);
  register_module("F", f_);
  register_module("G", g_);
  register_module("H", h_);
}

Halves EnhancedInvBlock::forward(const Halves& x, Tap* tap) const {
  const Tensor lr = x.x1 + e_(x.x2);
  const Tensor y1 = lr - f_(x.x2);
  const Tensor h = h_(y1);
  if (tap != nullptr) *tap = {lr, affine(sigmoid(h), 2, -1)};
  return {y1, coupling(x.x2, h, g_(y1))};
}

Halves EnhancedInvBlock::inverse(const Halves& y, Tap* tap) const {
  const Tensor h = h_(y.x1);
  const Tensor x2 = coupling_inverse(y.x2, h, g_(y.x1));
  const Tensor lr = y.x1 + f_(x2);
  if (tap != nullptr) *tap = {lr, affine(sigmoid(h), 2, -1)};
  return {lr - e_(x2), x2};
}

}  // namespace mini::models
