// Reading off weights what an invertible network is made of, before anything is built from it: the
// file may be a stranger's.
#pragma once

#include <cstdint>
#include <string>

#include "nn/module.h"

namespace mini::models {

// How many blocks there are: names "LIST.0.MEMBER", "LIST.1.MEMBER", ...
std::int64_t count_blocks(const nn::StateDict& state, const std::string& list,
                          const std::string& member);
// The growth of the dense block whose first convolution has this weight; throws without it.
std::int64_t growth_of(const nn::StateDict& state, const std::string& weight);
// The scale of a network with so many Haar levels and `subnets` dense blocks. Throws when the weights
// cannot be of such a network: a small file must not make its reader build a huge one.
std::int64_t plausible_scale(const nn::StateDict& state, std::int64_t levels, std::int64_t subnets,
                             std::int64_t growth);

}  // namespace mini::models
