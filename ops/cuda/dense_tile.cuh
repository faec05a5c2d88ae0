// The arithmetic of the dense block's kernels: products of tiles in shared memory. There are three
// ways to multiply, which differ in the format of stored features and in the instruction:
//
//   Exact      float32, fused multiply-adds, as exact as the CPU
//   Tf32       float32 rounded to TF32, tensor cores
//   Bfloat16   bfloat16, tensor cores
//
// In all of them pixels are copied in chunks of 32 bytes (8 or 16 channels), and a thread holds the
// same sums: those of a tensor core's accumulator (tensor_core.cuh), which Exact imitates. A
// feature is rounded once, when it is stored, so no reader rounds it again.
#pragma once

#include <cmath>
#include <type_traits>

#include "ops/cuda/tensor_core.cuh"

namespace mini::cuda::dense {

constexpr int chunk_bytes = 32, chunk_words = 8, half_bytes = 16, taps = 9;

struct Exact {
  using Stored = float;
  static constexpr bool tensor_cores = false;
  __device__ static float keep(float value) { return value; }
};
struct Tf32 {
  using Stored = float;
  static constexpr bool tensor_cores = true;
  __device__ static float keep(float value) { return round_to_tf32(value); }
  __device__ static void multiply(float (&c)[4], const Word (&a)[4], const Word (&b)[2]) {
    multiply_tf32(c, a, b);
  }
};
struct Bfloat16 {
  using Stored = BFloat16;
  static constexpr bool tensor_cores = true;
  __device__ static BFloat16 keep(float value) { return BFloat16(value); }
  __device__ static void multiply(float (&c)[4], const Word (&a)[4], const Word (&b)[2]) {
    multiply_bfloat16(c, a, b);
  }
};

template <class Way>
constexpr int chunk_channels = chunk_bytes / static_cast<int>(sizeof(typename Way::Stored));

// The offset of half a chunk of a pixel in a tile. The two halves are swapped in every other group
// of four pixels. So the same half of eight neighbouring pixels covers all banks, and a warp reads
// it without bank conflicts. Rows of pixels begin at multiples of eight, so the distance between
// rows is constant.
__device__ inline int half_at(int pixel, int half) {
  return pixel * chunk_bytes + (half ^ (pixel >> 2 & 1)) * half_bytes;
}
__device__ inline const std::byte* word_at(const std::byte* tile, int pixel, int word) {
  return tile + half_at(pixel, word >> 2) + (word & 3) * 4;
}

template <class T>
__device__ T read(const std::byte* place) {
  return *reinterpret_cast<const T*>(place);
}
// `count` values that are read by one instruction.
template <class T, int count>
struct alignas(sizeof(T) * count) Vector {
  T at[count];
};

// Convolution. A warp computes 8 x 8 pixels by 8 * columns outputs from a tile of one chunk. The
// tile is `across` pixels wide; the window of the warp's first pixel begins at pixel `first`.
// sums[i][n][r] is the pixel in row i + 4 (r / 2) and column g, and output 8n + 2t + r % 2.
template <int columns>
using ConvolutionSums = float[4][columns][4];

// The number of columns whose weights are read by one instruction.
constexpr int columns_together(int columns) { return columns == 1 ? 1 : 2; }

// The weights of a chunk are [tap][pair of columns][lane][b of both columns]; a lane reads 16
// bytes. Exact skips the second half of a chunk, if it is padding (halves = 1).
template <class Way, int across, int columns>
__device__ void convolve(ConvolutionSums<columns>& sums, const std::byte* tile, int first,
                         const std::byte* weights, int halves, int lane) {
  static_assert(across % 8 == 0);
  constexpr int together = columns_together(columns);
  if constexpr (Way::tensor_cores) {
    // Each lane passes the address of one row to ldmatrix: lanes 0-7 the first halves of 8 pixels,
    // lanes 8-15 those of the pixels four rows below, lanes 16-31 the second halves of the same
    // pixels. The result is the operand a of one product. Six loads, of rows y and y + 4, serve all
    // dy.
    const int mine = first + lane / 8 % 2 * 4 * across + lane % 8, half = lane / 16;
#pragma unroll
    for (int dx = 0; dx < 3; ++dx) {
      Word rows[6][4];
#pragma unroll
      for (int y = 0; y < 6; ++y)
        load_matrices(rows[y], tile + half_at(mine + dx, half) + y * across * chunk_bytes);
#pragma unroll
      for (int dy = 0; dy < 3; ++dy) {
        Word b[columns][2];
#pragma unroll
        for (int n = 0; n < columns; n += together) {
          const auto words = read<Vector<Word, 2 * together>>(
              weights + (((dy * 3 + dx) * columns + n) * 32 + lane * together) * 8);
#pragma unroll
          for (int k = 0; k < 2 * together; ++k) b[n + k / 2][k % 2] = words.at[k];
        }
#pragma unroll
        for (int i = 0; i < 4; ++i)
#pragma unroll
          for (int n = 0; n < columns; ++n) Way::multiply(sums[i][n], rows[i + dy], b[n]);
      }
    }
  } else {
    // The same bytes of weights, as [tap][channel][t][outputs 2t, 2t + 1 of every column].
    const int g = lane / 4, t = lane % 4;
#pragma unroll 1
    for (int dx = 0; dx < 3; ++dx)
#pragma unroll 1
      for (int half = 0; half < halves; ++half) {
        Vector<float, 4> rows[10];
#pragma unroll
        for (int y = 0; y < 10; ++y)
          rows[y] = read<Vector<float, 4>>(tile + half_at(first + dx + g, half) +
                                           y * across * chunk_bytes);
#pragma unroll
        for (int dy = 0; dy < 3; ++dy)
#pragma unroll
          for (int c = 0; c < 4; ++c) {
            const std::byte* const b =
                weights + (((dy * 3 + dx) * 8 + half * 4 + c) * 4 + t) * columns * 8;
#pragma unroll
            for (int n = 0; n < columns; n += together) {
              const auto outputs = read<Vector<float, 2 * together>>(b + n * 8);
#pragma unroll
              for (int y = 0; y < 8; ++y)
#pragma unroll
                for (int k = 0; k < 2 * together; ++k) {
                  float& sum = sums[y % 4][n + k / 2][y / 4 * 2 + k % 2];
                  sum = std::fma(rows[y + dy].at[c], outputs.at[k], sum);
                }
            }
          }
      }
  }
}

// Which output (of 8 * columns) and which channel of the chunk a word of one tap holds. A word of
// bfloat16 holds two numbers, part 0 and 1.
struct WeightPlace {
  int output, channel;
};
template <class Way>
__device__ WeightPlace weight_place(int word, int columns, int part) {
  if constexpr (Way::tensor_cores) {
    const int together = columns_together(columns), place = word / (2 * together);
    const int lane = place % 32, column = place / 32 * together + word % (2 * together) / 2;
    const int row = lane % 4 + word % 2 * 4;  // index of a word in the chunk
    return {column * 8 + lane / 4, row * (chunk_channels<Way> / chunk_words) + part};
  } else {
    const int output = word % (2 * columns), t = word / (2 * columns) % 4;
    return {output / 2 * 8 + 2 * t + output % 2, word / (8 * columns)};
  }
}

// Weight gradient. For the three taps of one column, a warp sums the products of 16 * tiles
// channels of features and 8 * columns channels of gradients over 8 x rows pixels.
// sums[dy][i][n][r] is tap dy, channel 16i + g + 8 (r / 2), output 8n + 2t + r % 2.
template <int tiles, int columns>
using CorrelationSums = float[3][tiles][columns][4];

// Each row of features is multiplied with three rows of gradients, and each row of gradients with
// three of features. So gradients stay in registers until their three products are done.
// `features(y)` and `gradients(y)` load row y, and `multiply(dy, a, b)` gets what they return.
template <int rows, class Features, class Gradients, class Multiply>
__device__ void pass_rows(const Features& features, const Gradients& gradients,
                          const Multiply& multiply) {
  decltype(gradients(0)) b[3];  // rows y, y - 1 and y - 2
#pragma unroll
  for (int y = 0; y < rows + 2; ++y) {
    const auto a = features(y);
    if (y < rows) b[y % 3] = gradients(y);
#pragma unroll
    for (int dy = 0; dy < 3; ++dy)
      if (y >= dy && y - dy < rows) multiply(dy, a, b[(y - dy) % 3]);
  }
}

template <int count, int words>
struct Operands {
  Word of[count][words];
};
template <int count>
struct Floats {
  float of[count];
};

// In both tiles, the chunks of channels lie one behind the other. The feature tile is `across`
// pixels wide, and its pixel `first` belongs to tap dy = 0. The gradient tile is 8 pixels wide and
// begins at pixel `own`.
template <class Way, int across, int rows, int feature_bytes, int gradient_bytes, int tiles,
          int columns>
__device__ void correlate(CorrelationSums<tiles, columns>& sums, const std::byte* features,
                          int first, const std::byte* gradients, int own, int lane) {
  static_assert(across % 8 == 0);
  const int g = lane / 4, t = lane % 4;
  if constexpr (Way::tensor_cores) {
    const auto multiply = [&](int dy, const Operands<tiles, 4>& a, const Operands<columns, 2>& b) {
#pragma unroll
      for (int i = 0; i < tiles; ++i)
#pragma unroll
        for (int n = 0; n < columns; ++n) Way::multiply(sums[dy][i][n], a.of[i], b.of[n]);
    };
    if constexpr (std::is_same_v<Way, Bfloat16>) {
      // The products are summed over pixels, so a register must hold neighbouring pixels: ldmatrix
      // transposes. One operand holds 8 pixels of row y and the 8 pixels half the rows below, so
      // pass_rows covers half as many rows.
      constexpr int pairs = rows / 2;
      const int x = lane % 8, low = lane / 8 % 2, high = lane / 16;
      const std::byte* const a_place = features + half_at(first + high * pairs * across + x, low);
      const std::byte* const b_place = gradients + half_at(own + low * pairs * 8 + x, high);
      pass_rows<pairs>(
          [&](int y) {
            Operands<tiles, 4> a;
#pragma unroll
            for (int i = 0; i < tiles; ++i)
              load_matrices_transposed(a.of[i],
                                       a_place + i * feature_bytes + y * across * chunk_bytes);
            return a;
          },
          [&](int y) {
            Operands<columns, 2> b;
#pragma unroll
            for (int n = 0; n < columns; n += 2) {
              Word both[4];
              load_matrices_transposed(both,
                                       b_place + n / 2 * gradient_bytes + y * 8 * chunk_bytes);
#pragma unroll
              for (int k = 0; k < 4; ++k)
                if (n + k / 2 < columns) b.of[n + k / 2][k % 2] = both[k];
            }
            return b;
          },
          multiply);
    } else {
      // ldmatrix cannot transpose 32-bit numbers, so each lane reads its own.
      pass_rows<rows>(
          [&](int y) {
            Operands<tiles, 4> a;
#pragma unroll
            for (int i = 0; i < tiles; ++i)
#pragma unroll
              for (int k = 0; k < 4; ++k)
                a.of[i][k] = read<Word>(
                    word_at(features + (2 * i + k % 2) * feature_bytes, first + t + k / 2 * 4, g) +
                    y * across * chunk_bytes);
            return a;
          },
          [&](int y) {
            Operands<columns, 2> b;
#pragma unroll
            for (int n = 0; n < columns; ++n)
#pragma unroll
              for (int k = 0; k < 2; ++k)
                b.of[n][k] =
                    read<Word>(word_at(gradients + n * gradient_bytes, own + t + k * 4, g) +
                               y * 8 * chunk_bytes);
            return b;
          },
          multiply);
    }
  } else {
#pragma unroll 1
    for (int x = 0; x < 8; ++x)
      pass_rows<rows>(
          [&](int y) {
            Floats<2 * tiles> a;
#pragma unroll
            for (int k = 0; k < 2 * tiles; ++k)
              a.of[k] = read<float>(word_at(features + k * feature_bytes, first + x, g) +
                                    y * across * chunk_bytes);
            return a;
          },
          [&](int y) {
            Floats<2 * columns> b;
#pragma unroll
            for (int n = 0; n < columns; ++n) {
              const auto pair = read<Vector<float, 2>>(
                  word_at(gradients + n * gradient_bytes, own + x, 2 * t) + y * 8 * chunk_bytes);
#pragma unroll
              for (int j = 0; j < 2; ++j) b.of[2 * n + j] = pair.at[j];
            }
            return b;
          },
          [&](int dy, const Floats<2 * tiles>& a, const Floats<2 * columns>& b) {
#pragma unroll
            for (int k = 0; k < 2 * tiles; ++k)
#pragma unroll
              for (int j = 0; j < 2 * columns; ++j) {
                float& sum = sums[dy][k / 2][j / 2][k % 2 * 2 + j % 2];
                sum = std::fma(a.of[k], b.of[j], sum);
              }
          });
  }
}

}  // namespace mini::cuda::dense
