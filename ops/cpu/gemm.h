// The inner kernel of matrix products and convolutions: a tile of C = A·B in registers.
//
//   C(m, n) (+)= sum over segments s, over k < depth of A_s(m, k) · B_s(k, n)
//   A_s(m, k) = a[a_offset[s] + m·a_row + k·a_step]     read one number at a time
//   B_s(k, n) = b[s·b_segment + k·b_step + n]           read by vectors along n
//
// A matrix product has one segment. A convolution's rows m are output pixels, its columns n output
// channels; the kernel's rows are the segments, within one of which the inputs of a pixel, (kx, c)
// in channels-last order, lie side by side in memory. The terms of one element of C are added in
// one fixed order whatever the tiling, so the tiling never shows in the bits. Read next: gemm.cpp,
// matmul.cpp, then conv.cpp.
#pragma once

#include "ops/cpu/simd.h"

namespace mini::cpu::MINI_ISA {

template <class T>
struct TileJob {
  const T* a;
  std::int64_t a_row, a_step;
  const std::int64_t* a_offset;
  const T* b;
  std::int64_t b_step, b_segment = 0;
  std::int64_t segments, depth;
  T* c;
  std::int64_t c_row;
  int last_lanes = Vec<T>::lanes;  // columns of the tile's last vector that C has
  // What the sums begin with, or null for 0: C itself to add to it, a bias with start_row 0.
  const T* start = nullptr;
  std::int64_t start_row = 0;
};

inline constexpr int max_tile_vectors = 3;

// Accumulators fill the registers but for what holds a row of B and a broadcast value. More than 14
// rows would bring nothing: 13 sums in flight already hide the latency of a multiply-add.
constexpr int max_tile_rows(int vectors) {
  const int rows = (vector_registers - 4) / vectors;
  return rows < 14 ? rows : 14;
}

// Calls body(first row, height) for tiles of about the same height, at most `tallest`.
template <class Body>
void for_tiles(std::int64_t rows, std::int64_t tallest, const Body& body) {
  const std::int64_t tiles = (rows + tallest - 1) / tallest;
  std::int64_t first = 0;
  for (std::int64_t left = tiles; left > 0; --left) {
    const std::int64_t height = first + tallest * left == rows ? tallest : (rows - first) / left;
    body(first, height);
    first += height;
  }
}

// Runs `job` for `rows` rows in tiles of 1..max_tile_vectors vectors. T is float or double.
template <class T>
void tile_rows(const TileJob<T>& job, std::int64_t rows, int vectors);

// The columns of B are cut into panels of two vectors, the last of one or three where their number
// is odd.
struct Panel {
  std::int64_t first;  // column
  int vectors;
  int last_lanes;
};

template <class T>
std::int64_t panel_count(std::int64_t columns) {
  const std::int64_t vectors = whole_vectors<T>(columns) / Vec<T>::lanes;
  return vectors <= 1 ? vectors : vectors / 2;
}

template <class T>
Panel panel_at(std::int64_t index, std::int64_t columns) {
  constexpr std::int64_t lanes = Vec<T>::lanes;
  const std::int64_t all = whole_vectors<T>(columns) / lanes;
  const bool is_last = index + 1 == panel_count<T>(columns);
  const std::int64_t vectors = is_last ? all - 2 * index : 2;
  const std::int64_t full = (2 * index + vectors - 1) * lanes;  // columns before the last vector
  return {2 * index * lanes, static_cast<int>(vectors),
          static_cast<int>(std::min(columns - full, lanes))};
}

// Packed, a panel is a dense matrix of panel_width columns, zeros behind the last of B; panel p of
// `depth` rows begins at depth · p.first.
template <class T>
std::int64_t panel_width(const Panel& panel) {
  return panel.vectors * Vec<T>::lanes;
}
template <class T>
struct Matrix {
  T* data;
  std::int64_t row, column;  // strides
};

// Rows [0, depth) of b's panel, densely, zeros behind the last column.
template <class T>
void pack_panel(const Matrix<const T>& b, std::int64_t depth, const Panel& panel,
                std::int64_t columns, T* out) {
  using V = Vec<T>;
  const std::int64_t width = panel_width<T>(panel);
  const std::int64_t used = std::min(width, columns - panel.first);
  const auto last = V::first(panel.last_lanes);
  for (std::int64_t k = 0; k < depth; ++k, out += width) {
    const T* from = b.data + k * b.row + panel.first * b.column;
    if (b.column == 1) {
      std::int64_t n = 0;
      for (; n + V::lanes < width; n += V::lanes) V::load(from + n).store(out + n);
      V::load(from + n, last).store(out + n);
    } else {
      for (std::int64_t n = 0; n < used; ++n) out[n] = from[n * b.column];
      std::fill_n(out + used, width - used, T(0));
    }
  }
}

}  // namespace mini::cpu::MINI_ISA
