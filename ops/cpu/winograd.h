// 3x3 convolutions (padding 1) of blocked images with 16 multiplications for four outputs instead
// of 36: Winograd's F(2x2, 3x3) (Lavin and Gray, "Fast Algorithms for Convolutional Neural
// Networks", 2016).
//
// In one dimension two outputs of a filter g over four inputs d need four products instead of six:
//   y0 = d0 g0 + d1 g1 + d2 g2 = p0 + p1 + p2      p0 = (d0 - d2) g0
//   y1 = d1 g0 + d2 g1 + d3 g2 = p1 - p2 - p3      p1 = (d1 + d2) (g0 + g1 + g2) / 2
//                                                  p2 = (d2 - d1) (g0 - g1 + g2) / 2
//                                                  p3 = (d1 - d3) g2
// As matrices, y = At [(G g) * (Bt d)] with * element by element:
//        1  0 -1  0          1   0   0
//   Bt = 0  1  1  0     G = 1/2 1/2 1/2     At = 1  1  1  0
//        0 -1  1  0         1/2 -1/2 1/2         0  1 -1 -1
//        0  1  0 -1          0   0   1
// In two dimensions this is done along both: a tile of 2x2 outputs depends on a patch of 4x4 inputs,
//   Y = At [ sum over inputs c of (G g_c Gt) * (Bt d_c B) ] A
// The sum comes before At: each of the 16 elements ("frequencies") is a matrix product of its own,
//   M_f[tile][output] = sum over c of V_f[tile][c] U_f[c][output],  V = Bt d B,  U = G g Gt
// and those products, run by the tiles of ops/cpu/gemm.h, take most of the time. Bt, At and their
// transposes only add and subtract. The sums are shorter than the direct ones, so their rounding
// errors are, on average over the gradients of a dense block, no larger than those of direct
// convolutions; tests/autograd/dense_block_test.cpp compares the two.
//
// Tiles are anchored to pixel (0, 0) of the image, and each output is summed in an order that
// depends on its patch alone, never on how an image is cut into strips (which must begin at even
// rows), chunks of tiles, or threads.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ops/cpu/blocked.h"
#include "tensor/tensor.h"

namespace mini::cpu::MINI_ISA::winograd {

inline constexpr std::int64_t frequencies = 16;

// The four rows that a row of tiles depends on, each from pixel -1 of the first input block on.
struct Window {
  const float* rows[4];
  std::int64_t plane;                      // from one block to the next
  std::span<const std::int64_t> channels;  // real channels of each input block
};
// That of tile row t, which makes the pixel rows 2t and 2t + 1.
Window window(const float* image, const blocked::Layout& layout,
              std::span<const std::int64_t> channels, std::int64_t t);

// Where the weights of one input channel are: that of output o and tap t = 3·ky + kx is
// data[o·stride + (flipped ? 8 - t : t)]. The data gradient of a convolution is a convolution too,
// with flipped weights, inputs and outputs exchanged.
struct WeightSource {
  const float* data;
  std::int64_t stride;
  bool flipped;
};

// The weights of one convolution, transformed and packed in the order in which the products read
// them. Where there are few outputs, their vectors can lie along the inputs instead of the outputs
// (`narrow`, ops/cpu/dot_tile.h); only the convolution to an ordinary image can do that.
struct Filter {
  std::int64_t inputs, outputs;
  bool narrow;
  float* memory;  // the caller's, size() floats

  static bool narrow_is_faster(std::int64_t inputs, std::int64_t outputs);
  static std::int64_t size(std::int64_t inputs, std::int64_t outputs);
  // One source for each input channel; `bias` may be null.
  void pack(std::span<const WeightSource> sources, const float* bias) const;

  const float* bias() const { return memory; }
  float* frequency(std::int64_t f) const;  // U_f
};

// Two pixel rows of a result, each from pixel 0 of channel or block 0 on; `second` is null where it
// lies beyond the image.
template <class T>
struct Rows {
  T* first;
  T* second;
  std::int64_t plane;  // from one channel of an ordinary image, or one block, to the next
};

// Memory for the transformed inputs and products of a chunk of tiles; one thread's.
class Scratch {
 public:
  static std::int64_t size(std::int64_t inputs, std::int64_t outputs);  // in floats
  // For convolutions of at most so many inputs and outputs.
  Scratch(std::int64_t inputs, std::int64_t outputs)
      : memory_(Tensor::empty({size(inputs, outputs)})) {}
  float* data() const { return memory_.data<float>(); }

 private:
  Tensor memory_;
};

// A row of tiles of a blocked image, then an activation: where `sign` is not positive, the result is
// multiplied by `slope`. Forward, `sign` is the result itself (null), as in leaky_relu; backward it
// is the feature that the gradient arrives at, and lies in its image as the result does in `out`.
void convolve(const Window& in, std::int64_t width, const Filter& filter, const Scratch& scratch,
              float slope, const Rows<const float>* sign, const Rows<float>& out);

// A row of tiles of an ordinary [C,H,W] image, without an activation.
void convolve(const Window& in, std::int64_t width, const Filter& filter, const Scratch& scratch,
              const Rows<float>& out);

// The gradients of the weights of several convolutions that read the first channels of one image,
//   dg = Gt S G,   S = sum over tiles of (A dY At) * (Bt d B).
// S is made for one row of its 4x4 frequencies at a time: the transforms of inputs and gradients then
// serve all convolutions, and the four rows of each image are independent pieces of work.
class WeightGradients {
 public:
  struct Convolution {
    std::int64_t inputs, outputs;
    std::int64_t first_block;  // of its outputs in the image of gradients
  };
  // channels: the real ones of the input's blocks.
  WeightGradients(std::span<const std::int64_t> channels, std::vector<Convolution> convolutions);

  // Floats of one row of S, for all convolutions.
  std::int64_t row_size() const { return offsets_.back(); }
  // Writes row y of S for one image.
  void row(int y, const float* in, const blocked::Layout& layout, const float* dy,
           const blocked::Layout& dy_layout, float* sums) const;
  // From the four rows of S, dw[outputs][inputs][3][3] of convolution k.
  void unpack(const float* sums, std::size_t k, float* dw) const;

 private:
  std::span<const std::int64_t> channels_;
  std::vector<Convolution> convolutions_;
  std::vector<std::int64_t> offsets_{0};  // of the convolutions in a row of S
};

}  // namespace mini::cpu::MINI_ISA::winograd
