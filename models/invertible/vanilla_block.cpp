#include "models/invertible/vanilla_block.h"

namespace mini::models {

VanillaInvBlock::VanillaInvBlock(std::int64_t channels, std::int64_t split, std::int64_t growth,
                                 Generator& generator)
    : f_(channels - split, split, growth, generator),
      g_(split, channels - split, growth, generator),
      h_(split, channels - split, growth, generator) {
  register_module("F", f_);
  register_module("G", g_);
  register_module("H", h_);
}

std::vector<Coupling> VanillaInvBlock::couplings() const {
  using Kind = Coupling::Kind;
  return {{Kind::add, 0, {f_.subnet()}}, {Kind::scale, 1, {h_.subnet(), g_.subnet()}}};
}

}  // namespace mini::models
