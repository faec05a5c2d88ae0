#include "ops/cpu/blocked.h"

#include <algorithm>

namespace mini::cpu::MINI_ISA::blocked {

void pack_row(const float* from, std::int64_t channels, std::int64_t channel_stride,
              std::int64_t pixel_stride, std::int64_t width, float* to, std::int64_t plane) {
  for (std::int64_t first = 0; first < channels; first += block, to += plane) {
    const std::int64_t real = std::min(block, channels - first);
    for (std::int64_t x = 0; x < width; ++x) {
      const float* pixel = from + first * channel_stride + x * pixel_stride;
      for (std::int64_t c = 0; c < real; ++c) to[x * block + c] = pixel[c * channel_stride];
      std::fill_n(to + x * block + real, block - real, 0.0f);
    }
  }
}

void clear_border(float* image, const Layout& layout, std::int64_t y) {
  const std::int64_t right = (1 + layout.width) * block;
  for (std::int64_t b = 0; b < layout.blocks; ++b) {
    float* const row = image + layout.at(b, y);
    std::fill_n(row, block, 0.0f);
    std::fill_n(row + right, layout.row() - right, 0.0f);
    if (y == 0) std::fill_n(row - layout.row(), layout.row(), 0.0f);
    if (y == layout.height - 1)
      std::fill(row + layout.row(), image + (b + 1) * layout.plane(), 0.0f);
  }
}

void channel_sums(const float* image, std::int64_t channels, const Layout& layout, float* sums) {
  for (std::int64_t first = 0; first < channels; first += block) {
    double total[block] = {};
    for (std::int64_t y = 0; y < layout.height; ++y) {
      const float* pixel = image + layout.at(first / block, y) + block;
      for (std::int64_t x = 0; x < layout.width; ++x, pixel += block)
        for (std::int64_t c = 0; c < block; ++c) total[c] += static_cast<double>(pixel[c]);
    }
    for (std::int64_t c = 0; c < block; ++c) sums[first + c] += static_cast<float>(total[c]);
  }
}

}  // namespace mini::cpu::MINI_ISA::blocked
