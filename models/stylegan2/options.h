// The size of a StyleGAN2, the same for generator and discriminator.
#pragma once

#include <algorithm>
#include <cstdint>

#include "tensor/error.h"

namespace mini::models {

struct StyleGan2Options {
  std::int64_t size = 1024;  // of the images: a power of two from 8 to 1024
  std::int64_t style = 512;  // numbers of a code
  std::int64_t mapping_layers = 8;
  std::int64_t channel_multiplier = 2;
  std::int64_t max_channels = 512;

  // The channels of features of this side.
  std::int64_t channels(std::int64_t side) const {
    return std::min(side <= 32 ? 512 : 16384 * channel_multiplier / side, max_channels);
  }
  std::int64_t log2_size() const {
    std::int64_t result = 0;
    while (std::int64_t{1} << result < size) ++result;
    return result;
  }
  // One code for each layer.
  std::int64_t codes() const { return 2 * log2_size() - 2; }

  void validate() const {
    check(size >= 8 && size <= 1024 && (size & (size - 1)) == 0,
          "stylegan2: size must be a power of two from 8 to 1024, got ", size);
    check(style > 0 && mapping_layers > 0 && channel_multiplier > 0 && max_channels > 0,
          "stylegan2: style, mapping_layers, channel_multiplier and max_channels must be above 0");
  }
};

}  // namespace mini::models
