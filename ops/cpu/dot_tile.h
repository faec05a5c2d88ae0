// The other inner kernel of convolutions, for few output channels: sums along vectors.
//
// gemm.h spends a whole vector on the output channels of a pixel, so with three of them most lanes
// do nothing. Here the vectors lie along the inputs (kx, c) of a pixel instead:
//   C(m, n) = start[n] + sum over segments s, over k < depth of a[a_offset[s] + m·a_row + k] ·
//   B_s(n, k)
// each C(m, n) has a vector of partial sums, added up at the end. B is packed as [n][s][k], k
// padded with zeros to whole vectors.
#pragma once

#include <array>
#include <utility>

#include "ops/cpu/gemm.h"

namespace mini::cpu::MINI_ISA {

template <class T>
struct DotJob {
  const T* a;
  std::int64_t a_row;
  const std::int64_t* a_offset;
  const T* b;
  std::int64_t segments, depth;
  T* c;
  std::int64_t c_row;
  const T* start;  // or null for 0
};

inline constexpr int max_dot_columns = 12;
// Registers: the sums, a vector of each row of A and one of B.
constexpr int max_dot_rows(int columns) {
  const int rows = (vector_registers - 1) / (columns + 1);
  return rows < 8 ? rows : 8;
}
// Six leave room for two rows in sixteen registers, and what B has of six columns stays in the
// first-level cache.
inline constexpr int max_dot_tile_columns = 6;

template <class T, int Rows, int Columns>
void dot_tile(const DotJob<T>& job) {
  using V = Vec<T>;
  const std::int64_t padded = whole_vectors<T>(job.depth);
  const std::int64_t b_row = job.segments * padded;
  const auto last = V::first(static_cast<int>(job.depth - (padded - V::lanes)));
  V sum[Columns][Rows];
#pragma GCC unroll 16
  for (int n = 0; n < Columns; ++n)
#pragma GCC unroll 16
    for (int m = 0; m < Rows; ++m) sum[n][m] = V::zero();
  const auto add = [&](const V(&row)[Rows], const T* b) __attribute__((always_inline)) {
#pragma GCC unroll 16
    for (int n = 0; n < Columns; ++n) {
      V weights = V::load(b + n * b_row);
      keep_in_register(weights);
#pragma GCC unroll 16
      for (int m = 0; m < Rows; ++m) sum[n][m].add_product(row[m], weights);
    }
  };
  const T* b = job.b;
  for (std::int64_t s = 0; s < job.segments; ++s) {
    const T* a = job.a + job.a_offset[s];
    V row[Rows];
    for (std::int64_t k = V::lanes; k < padded; k += V::lanes) {
#pragma GCC unroll 16
      for (int m = 0; m < Rows; ++m) {
        row[m] = V::load(a + m * job.a_row);
        keep_in_register(row[m]);
      }
      add(row, b);
      a += V::lanes;
      b += V::lanes;
    }
    // What lies behind the run belongs to other pixels: it must not even meet a zero, being perhaps
    // not a number.
#pragma GCC unroll 16
    for (int m = 0; m < Rows; ++m) row[m] = V::load(a + m * job.a_row, last);
    add(row, b);
    b += V::lanes;
  }
#pragma GCC unroll 16
  for (int n = 0; n < Columns; ++n)
#pragma GCC unroll 16
    for (int m = 0; m < Rows; ++m)
      job.c[m * job.c_row + n] = sum[n][m].sum() + (job.start == nullptr ? T(0) : job.start[n]);
}

// Runs `job` for `rows` rows, as even tiles.
template <class T, int Columns>
void dot_rows(DotJob<T> job, std::int64_t rows) {
  using Kernel = void (*)(const DotJob<T>&);
  static constexpr int tallest = max_dot_rows(Columns);
  static constexpr auto kernels = []<int... R>(std::integer_sequence<int, R...>) {
    return std::array<Kernel, sizeof...(R)>{&dot_tile<T, R + 1, Columns>...};
  }
  (std::make_integer_sequence<int, tallest>{});
  for_tiles(rows, tallest, [&](std::int64_t, std::int64_t height) {
    kernels[static_cast<std::size_t>(height - 1)](job);
    job.a += height * job.a_row;
    job.c += height * job.c_row;
  });
}

// The same with the number of columns, 1..max_dot_columns, known only now, cut into even tiles.
template <class T>
void dot_rows(const DotJob<T>& job, std::int64_t rows, std::int64_t columns) {
  using Run = void (*)(DotJob<T>, std::int64_t);
  static constexpr auto runs = []<int... N>(std::integer_sequence<int, N...>) {
    return std::array<Run, sizeof...(N)>{static_cast<Run>(&dot_rows<T, N + 1>)...};
  }
  (std::make_integer_sequence<int, max_dot_tile_columns>{});
  for_tiles(columns, max_dot_tile_columns, [&](std::int64_t first, std::int64_t width) {
    DotJob<T> part = job;
    part.b += first * job.segments * whole_vectors<T>(job.depth);
    part.c += first;
    if (job.start != nullptr) part.start += first;
    runs[static_cast<std::size_t>(width - 1)](part, rows);
  });
}

}  // namespace mini::cpu::MINI_ISA
