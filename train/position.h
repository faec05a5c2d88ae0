// How far training is.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>

namespace mini::train {

struct Position {
  std::int64_t step = 0;   // steps done
  std::size_t update = 0;  // and of the next one's updates (train/recipe.h) so many
  auto operator<=>(const Position&) const = default;
};

}  // namespace mini::train
