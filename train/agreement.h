// Checks that the processes which train together run one and the same training. All processes call each
// function, and where they differ each throws an Error. A process alone always agrees.
#pragma once

#include <cstdint>
#include <string>

#include "train/collective.h"

namespace mini::train {

// Checks that all were given the same configuration (config_text).
void check_same_configuration(Collective& collective, const std::string& text);
// Checks that all have the same number of photographs to train on.
void check_same_images(Collective& collective, std::int64_t count);
// Checks that after `step` all have the same weights, to the bit. All get the same
// sums of gradients, so they differ only where the arithmetic does, for instance with unlike
// instruction sets (MINI_ISA).
void check_same_weights(Collective& collective, const Tensors& weights, std::int64_t step);

}  // namespace mini::train
