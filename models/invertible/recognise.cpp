#include "models/invertible/recognise.h"

namespace mini::models {

std::int64_t count_blocks(const nn::StateDict& state, const std::string& list,
                          const std::string& member) {
  std::int64_t blocks = 0;
  while (state.contains(concat_text(list, '.', blocks, '.', member))) ++blocks;
  return blocks;
}

std::int64_t growth_of(const nn::StateDict& state, const std::string& weight) {
  const auto found = state.find(weight);
  check(found != state.end() && found->second.rank() == 4, "model: the weights lack ", weight);
  return found->second.size(0);
}

std::int64_t plausible_scale(const nn::StateDict& state, std::int64_t levels, std::int64_t subnets,
                             std::int64_t growth) {
  check(levels == 1 || levels == 2, "model: the weights have ", levels,
        " Haar levels; 1 (x2) and 2 (x4) are known");
  // Zero would mean the paper's number, and nothing in the file would have to pay for it.
  check(subnets > 0, "model: the weights have no blocks");
  double elements = 0;
  for (const auto& [name, tensor] : state) elements += static_cast<double>(tensor.numel());
  // Convolutions 2 to 4 of a dense block read the features of those before: 9·growth²·(1 + 2 + 3)
  // weights each, at least.
  const auto width = static_cast<double>(growth);
  check(growth >= 1 && 54 * width * width * static_cast<double>(subnets) <= elements,
        "model: the weights describe ", subnets, " dense blocks of growth ", growth,
        ", which do not fit in the ", elements, " numbers there are");
  return std::int64_t{1} << levels;
}

}  // namespace mini::models
