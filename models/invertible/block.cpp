#include "models/invertible/block.h"

#include <array>

#include "autograd/functions.h"

namespace mini::models {

Halves split_channels(const Tensor& x, std::int64_t split) {
  const std::array sizes{split, x.size(1) - split};
  const Tensors parts = mini::split(x, sizes, 1);
  return {parts[0], parts[1]};
}

Tensor join_channels(const Halves& halves) { return concat({halves.x1, halves.x2}, 1); }

}  // namespace mini::models
