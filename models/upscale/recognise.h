// Reading off weights what an upscaler is made of, before anything is built from it: the file may
// be a stranger's.
#pragma once

#include <cstdint>
#include <string>

#include "nn/module.h"

namespace mini::models {

// The output channels of a convolution's weight; throws without it.
std::int64_t outputs_of(const nn::StateDict& state, const std::string& weight);
// The scale of a chain of convolutions "LIST.0", "LIST.2", ... with a PixelShuffle behind each.
// `last` more convolutions follow, which do not enlarge.
std::int64_t shuffled_scale(const nn::StateDict& state, const std::string& list, int last,
                            std::int64_t channels);
// Throws unless the weights have `least` numbers: a small file must not make its reader build a
// huge network.
void check_plausible(const nn::StateDict& state, double least, const char* network);

}  // namespace mini::models
