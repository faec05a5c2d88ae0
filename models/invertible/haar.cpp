#include "models/invertible/haar.h"

#include <array>
#include <cmath>

namespace mini::models {

HaarDownsampling::HaarDownsampling(std::int64_t channels)
    : haar_weights_(Tensor::empty({4 * channels, 1, 2, 2})) {
  constexpr std::array<float, 16> filters{1, 1, 1, 1, 1, -1, 1, -1, 1, 1, -1, -1, 1, -1, -1, 1};
  for (std::int64_t c = 0; c < channels; ++c)
    std::copy(filters.begin(), filters.end(), haar_weights_.data<float>() + 16 * c);
  register_buffer("haar_weights", haar_weights_);
}

double HaarDownsampling::log_det(const Shape& large) {
  return double(large[1] * large[2] * large[3]) / 4 * std::log(1.0 / 16);
}

}  // namespace mini::models
