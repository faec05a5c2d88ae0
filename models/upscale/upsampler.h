// Upsampler: enlarges features by convolutions to more channels, which PixelShuffle turns into
// pixels (W. Shi et al., "Real-time single image and video super-resolution using an efficient
// sub-pixel convolutional neural network", CVPR 2016). Scales 2ⁿ take n steps of 2, scale 3 one
// step of 3.
#pragma once

#include "nn/layers.h"
#include "nn/sequential.h"

namespace mini::models {

// The factors of the steps that enlarge by `scale`; throws, naming `network`, for other scales.
inline std::vector<std::int64_t> upsampling_steps(std::int64_t scale, const char* network) {
  if (scale == 3) return {3};
  std::vector<std::int64_t> steps;
  for (std::int64_t rest = scale; rest > 1; rest /= 2) {
    check(rest % 2 == 0, network, ": scale must be 1, 2, 3, 4 or 8, got ", scale);
    steps.push_back(2);
  }
  check(scale >= 1 && scale <= 8, network, ": scale must be 1, 2, 3, 4 or 8, got ", scale);
  return steps;
}

class Upsampler : public nn::Sequential {
 public:
  Upsampler(std::int64_t scale, std::int64_t features, const char* network) {
    for (const std::int64_t factor : upsampling_steps(scale, network)) {
      append<nn::Conv2d>(features, features * factor * factor, 3, nn::same_size(3));
      append<nn::PixelShuffle>(factor);
    }
  }
};

}  // namespace mini::models
