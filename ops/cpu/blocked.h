// Blocked images: the memory layout of the fused dense block (ops/cpu/dense_block.cpp).
//
// A blocked image is [blocks][rows][columns][16] floats: 16 channels of a pixel lie together.
// Around the height x width pixels lies a border of zeros, so that every 3x3 window is complete and
// no kernel has a case for edges. The convolutions work on tiles of 2x2 pixels
// (ops/cpu/winograd.h); where a side is odd, the border on that side is two pixels wide, so that
// every tile is complete, too. Channels beyond the real ones are zeros. Consecutive blocks are an
// image of their own: so the convolutions of a dense block read and write parts of one buffer.
#pragma once

#include <cstdint>

namespace mini::cpu::MINI_ISA::blocked {

inline constexpr std::int64_t block = 16;  // channels

inline std::int64_t blocks_for(std::int64_t channels) { return (channels + block - 1) / block; }
inline std::int64_t padded(std::int64_t channels) { return blocks_for(channels) * block; }

// A blocked image without its memory. Sizes and offsets are in floats.
struct Layout {
  std::int64_t blocks, height, width;

  std::int64_t tile_rows() const { return (height + 1) / 2; }
  std::int64_t tile_columns() const { return (width + 1) / 2; }
  std::int64_t rows() const { return 2 * tile_rows() + 2; }
  std::int64_t columns() const { return 2 * tile_columns() + 2; }
  std::int64_t row() const { return columns() * block; }
  std::int64_t plane() const { return rows() * row(); }  // one block
  std::int64_t size() const { return blocks * plane(); }
  // Pixel (y, -1) of block b; the rows -1 and from `height` on are the border.
  std::int64_t at(std::int64_t b, std::int64_t y) const { return b * plane() + (y + 1) * row(); }
};

// One row of a strided [C,H,W] image into blocks that are `plane` apart, channels beyond C as
// zeros. `to`: pixel 0 of the row in the first block.
void pack_row(const float* from, std::int64_t channels, std::int64_t channel_stride,
              std::int64_t pixel_stride, std::int64_t width, float* to, std::int64_t plane);
// Sets the border at the left and right of row y to zeros in every block, and the border above or
// below the image if y is its first or last row.
void clear_border(float* image, const Layout& layout, std::int64_t y);
// Adds the sum over the pixels of each of the image's first `channels` channels to sums[padded].
void channel_sums(const float* image, std::int64_t channels, const Layout& layout, float* sums);

}  // namespace mini::cpu::MINI_ISA::blocked
