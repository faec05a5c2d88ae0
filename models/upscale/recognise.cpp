#include "models/upscale/recognise.h"

namespace mini::models {

std::int64_t outputs_of(const nn::StateDict& state, const std::string& weight) {
  const auto found = state.find(weight);
  check(found != state.end() && found->second.rank() == 4 && found->second.size(0) > 0,
        "model: the weights lack ", weight);
  return found->second.size(0);
}

std::int64_t shuffled_scale(const nn::StateDict& state, const std::string& list, int last,
                            std::int64_t channels) {
  int steps = -last;
  while (state.contains(concat_text(list, '.', 2 * (steps + last), ".weight"))) ++steps;
  check(steps >= 1 && steps <= 3, "model: the weights have ", steps, " steps of enlargement in ",
        list, "; 1 to 3 are known");
  const bool by_three = outputs_of(state, list + ".0.weight") == 9 * channels;
  return by_three ? 3 : std::int64_t{1} << steps;
}

void check_plausible(const nn::StateDict& state, double least, const char* network) {
  double elements = 0;
  for (const auto& [name, tensor] : state) elements += static_cast<double>(tensor.numel());
  check(least <= elements, "model: the weights describe ", network, " with at least ", least,
        " parameters, which do not fit in the ", elements, " numbers there are");
}

}  // namespace mini::models
