// The size of GRAIN, which every module of it follows.
#pragma once

#include <cstdint>

#include "models/stylegan2/options.h"

namespace mini::models {

struct GrainOptions {
  std::int64_t scale = 64;          // the only one
  std::int64_t size = 1024;         // of HR: 64, 128, 256, 512, 1024
  std::int64_t stage = 4;           // of training: 1, InvRRDB alone; 2, and the prior; 3 and 4, all
  std::int64_t features = 64;       // channels of InvRRDB's features
  std::int64_t growth = 32;         // that each convolution of a dense block adds
  std::int64_t code = 512;          // numbers of a code of StyleGAN2
  std::int64_t max_channels = 512;  // of StyleGAN2's features

  static constexpr std::int64_t levels = 7;  // sides size/64·2^j, j = 0..6

  StyleGan2Options stylegan2() const {
    return {.size = size, .style = code, .max_channels = max_channels};
  }
  void validate() const {
    check(size >= 64 && size <= 1024 && (size & (size - 1)) == 0,
          "grain: size must be 64, 128, 256, 512 or 1024, got ", size);
    check(features > 0 && growth > 0 && code > 0 && max_channels > 0,
          "grain: features, growth, code and max_channels must be above 0");
    check(stage >= 1 && stage <= 4, "grain: stage must be 1, 2, 3 or 4, got ", stage);
  }
};

}  // namespace mini::models
