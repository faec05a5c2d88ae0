// 3x3 convolutions (padding 1) on blocked images, one row at a time: the arithmetic of the fused
// dense block (read ops/cpu/dense_block.cpp first, then blocked.cpp and blocked_gradient.cpp).
//
// A blocked image is [blocks][height + 2][width + 2][16] floats: 16 channels lie together, and a
// border of zeros makes every 3x3 window complete, so no kernel knows about edges. Channels beyond
// the real ones are zeros. Any run of blocks is an image by itself: that is what lets the
// convolutions of a dense block read and write one buffer.
//
// Each output is summed in an order that depends on its window alone, never on how an image is cut
// into rows, tiles or threads.
#pragma once

#include <cstdint>
#include <span>

namespace mini::cpu::MINI_ISA::blocked {

inline constexpr std::int64_t block = 16;

inline std::int64_t blocks_for(std::int64_t channels) { return (channels + block - 1) / block; }

// A blocked image without its memory. Sizes and offsets are in floats.
struct Layout {
  std::int64_t blocks, height, width;

  std::int64_t row() const { return (width + 2) * block; }
  std::int64_t plane() const { return (height + 2) * row(); }  // one block
  std::int64_t size() const { return blocks * plane(); }
  // Pixel (y, -1) of block b; y = -1 and y = height are the border.
  std::int64_t at(std::int64_t b, std::int64_t y) const { return b * plane() + (y + 1) * row(); }
};

// One row of a strided [C,H,W] image into blocks `plane` apart, channels beyond C as zeros.
// `to`: pixel 0 of the row in the first block.
void pack_row(const float* from, std::int64_t channels, std::int64_t channel_stride,
              std::int64_t pixel_stride, std::int64_t width, float* to, std::int64_t plane);
// Zeros to both ends of row y in every block, and to the border row above or below it if y is the
// first or the last.
void clear_border(float* image, const Layout& layout, std::int64_t y);

// The rows above, at and below an output row, each from pixel -1 of the first input block on.
struct Window {
  const float* rows[3];
  std::int64_t plane;                      // from one block to the next
  std::span<const std::int64_t> channels;  // real channels of each input block
  std::int64_t width;
};
Window window(const float* image, const Layout& layout, std::span<const std::int64_t> channels,
              std::int64_t y);

// Where the weights of one input channel are: that of output o and tap t = 3·ky + kx is
// data[o·stride + (flipped ? 8 - t : t)]. The data gradient of a convolution is a convolution too,
// with flipped weights, inputs and outputs exchanged.
struct WeightSource {
  const float* data;
  std::int64_t stride;
  bool flipped;
};

// A convolution's weights in the order in which its kernel reads them. `sources` has one entry per
// real input channel; bias may be null. `packed` holds packed_size floats.
std::int64_t packed_size(std::int64_t outputs, std::span<const std::int64_t> channels);

// To a blocked image. out: pixel 0 of the output row in the first output block, `plane` to the
// next.
void pack_wide(std::span<const WeightSource> sources, std::span<const std::int64_t> channels,
               const float* bias, std::int64_t outputs, float* packed);
void wide_row(const Window& in, const float* packed, std::int64_t outputs, float* out,
              std::int64_t plane);

// To an ordinary [C,H,W] image, of any number of channels. out: pixel 0 of the output row in
// channel 0, `plane` to the next.
void pack_image(std::span<const WeightSource> sources, std::span<const std::int64_t> channels,
                const float* bias, std::int64_t outputs, float* packed);
void image_row(const Window& in, const float* packed, std::int64_t outputs, float* out,
               std::int64_t plane);

// Weight gradients for the `inputs` real channels of one input block; `in` and `dy` are the first
// block of their images. They are added to `sums`, gradient_size floats that begin as zeros, and
// unpacked into dw[o·stride + 9·i + tap] when all images have been added.
std::int64_t gradient_size(std::int64_t outputs);
void weight_gradient(const float* in, std::int64_t inputs, const float* dy, std::int64_t outputs,
                     const Layout& layout, float* sums);
void unpack_gradient(const float* sums, std::int64_t inputs, std::int64_t outputs,
                     std::int64_t stride, float* dw);
// Adds the sum over the pixels of each of the image's first `channels` channels.
void channel_sums(const float* image, std::int64_t channels, const Layout& layout, float* sums);

}  // namespace mini::cpu::MINI_ISA::blocked
