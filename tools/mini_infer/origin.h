// What the note in a small image says about the large one it was made of, so that `upscale` gives an
// image of the original's exact size and can tell when other weights made the small one.
//
//   size=4031x3023 scale=2 model=sain:9f3c01aa
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tools/mini_infer/model.h"

namespace mini::infer {

struct Origin {
  std::int64_t width, height;  // of the large image
  std::int64_t scale;
  std::string model;  // its name and the checksum of its weights
};

std::string to_note(const Origin& origin);
// None where the note is of another form, or its numbers are impossible.
std::optional<Origin> parse_origin(std::string_view note);
// "sain:9f3c01aa", or "bicubic".
std::string fingerprint_of(const Model& model);

}  // namespace mini::infer
