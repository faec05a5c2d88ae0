#include "models/tri/tirn.h"

namespace mini::models {

std::vector<nn::Field> Tirn::fields(Options& options) { return common_fields(options); }

std::optional<TirnOptions> Tirn::recognise(const nn::StateDict& state) {
  if (!is_tri(state) || state.contains("comp_operations.0.K.conv1.weight")) return std::nullopt;
  const Structure found = structure_of(state);
  return Options{
      .scale = found.scale,
      .down_blocks = found.down_blocks.front(),
      .down_blocks_2 = found.scale == 4 ? found.down_blocks.back() : Options().down_blocks_2,
      .growth = found.growth};
}

std::vector<std::string> Tirn::untold(const nn::StateDict& /*state*/) { return {"clamp_inside"}; }

Tirn::Tirn(const Options& options, Generator& generator)
    : TriRescaler({.scale = options.scale,
                   .down_blocks = {options.down_blocks, options.down_blocks_2},
                   .growth = options.growth,
                   .clamp_inside = options.clamp_inside},
                  network, generator) {}

}  // namespace mini::models
