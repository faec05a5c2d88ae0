// What processes that train together make sure of: that it is one and the same training. Each function
// is called by all of them, and where they differ each throws an Error; a process alone agrees.
#pragma once

#include <cstdint>
#include <string>

#include "train/collective.h"

namespace mini::train {

// That all were given the same configuration (config_text).
void check_same_configuration(Collective& collective, const std::string& text);
// That all have the same photographs to train on, as far as their number tells.
void check_same_images(Collective& collective, std::int64_t count);
// That after `step` all have the same weights, to the bit. They get the same sums of gradients, so only
// processes with another arithmetic could differ: another build, or another instruction set.
void check_same_weights(Collective& collective, const Tensors& weights, std::int64_t step);

}  // namespace mini::train
