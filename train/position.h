// How far training is.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>

namespace mini::train {

struct Position {
  std::int64_t step = 0;   // steps done
  std::size_t update = 0;  // updates done of the next step (train/recipe.h)
  auto operator<=>(const Position&) const = default;
};

}  // namespace mini::train
