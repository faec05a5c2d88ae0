#include "models/tri/tsain.h"

namespace mini::models {

std::vector<nn::Field> Tsain::fields(Options& options) {
  std::vector<nn::Field> fields = common_fields(options);
  fields.push_back({"comp_blocks", &options.comp_blocks,
                    "blocks that model compression; 0: the paper's 1 (x2) or 2 (x4)",
                    nn::between(0, 100)});
  return fields;
}

std::optional<TsainOptions> Tsain::recognise(const nn::StateDict& state) {
  if (!is_tri(state) || !state.contains("comp_operations.0.K.conv1.weight")) return std::nullopt;
  const Structure found = structure_of(state);
  return Options{
      .scale = found.scale,
      .down_blocks = found.down_blocks.front(),
      .down_blocks_2 = found.scale == 4 ? found.down_blocks.back() : Options().down_blocks_2,
      .comp_blocks = found.comp_blocks,
      .growth = found.growth};
}

std::vector<std::string> Tsain::untold(const nn::StateDict& /*state*/) { return {"clamp_inside"}; }

Tsain::Tsain(const Options& options, Generator& generator)
    : TriRescaler({.scale = options.scale,
                   .down_blocks = {options.down_blocks, options.down_blocks_2},
                   .comp_blocks = options.comp_blocks > 0 ? options.comp_blocks
                                  : options.scale == 2    ? 1
                                                          : 2,
                   .growth = options.growth,
                   .clamp_inside = options.clamp_inside},
                  network, generator) {}

}  // namespace mini::models
