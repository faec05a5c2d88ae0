#include "models/invertible/vanilla_block.h"

namespace mini::models {

VanillaInvBlock::VanillaInvBlock(std::int64_t channels, std::int64_t split, std::int64_t growth,
                                 Generator& generator, Condition condition)
    : f_(channels - split, split, growth, generator, condition),
      g_(split, channels - split, growth, generator, condition),
      h_(split, channels - split, growth, generator, condition) {
  register_module("F", f_);
  register_module("G", g_);
  register_module("H", h_);
}

std::vector<Coupling> VanillaInvBlock::couplings(const Tensor& condition) const {
  using Kind = Coupling::Kind;
  return {{Kind::add, 0, {f_.subnet(condition)}},
          {Kind::scale, 1, {h_.subnet(condition), g_.subnet(condition)}}};
}

}  // namespace mini::models
