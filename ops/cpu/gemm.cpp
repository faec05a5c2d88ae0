// The kernels of gemm.h, one for every height and width of a tile: compiled here once for all that
// use them.
#include "ops/cpu/gemm.h"

#include <array>
#include <utility>

namespace mini::cpu::MINI_ISA {
namespace {

// The tile of job whose first row is at a, c and start.
template <class T, int Rows, int Vectors>
void tile(const TileJob<T>& job, const T* a, T* c, const T* start) {
  using V = Vec<T>;
  // Under a mask, storing takes AMD's processors a dozen cycles: whole vectors go a way of their own.
  const bool whole = job.last_lanes == V::lanes;
  const auto last = V::first(job.last_lanes);
  V sum[Rows][Vectors];
  if (start == nullptr) {
#pragma GCC unroll 16
    for (int m = 0; m < Rows; ++m)
#pragma GCC unroll 4
      for (int v = 0; v < Vectors; ++v) sum[m][v] = V::zero();
  } else {
#pragma GCC unroll 16
    for (int m = 0; m < Rows; ++m, start += job.start_row) {
#pragma GCC unroll 4
      for (int v = 0; v + 1 < Vectors; ++v) sum[m][v] = V::load(start + v * V::lanes);
      sum[m][Vectors - 1] = V::load(start + (Vectors - 1) * V::lanes, last);
    }
  }
  const std::int64_t c_row = job.c_row;
  // C, where the sums do not begin with it, is fetched while they are computed, so that storing them
  // need not wait for memory.
  if (job.start != job.c) {
#pragma GCC unroll 16
    for (int m = 0; m < Rows; ++m)
#pragma GCC unroll 4
      for (int v = 0; v < Vectors; ++v) __builtin_prefetch(c + m * c_row + v * V::lanes, 1);
  }
  const std::int64_t a_row = job.a_row, a_step = job.a_step, b_step = job.b_step;
  for (std::int64_t s = 0; s < job.segments; ++s) {
    const T* from = a + job.a_offset[s];
    const T* b = job.b + s * job.b_segment;
    for (std::int64_t k = job.depth; k > 0; --k) {
      V row[Vectors];
#pragma GCC unroll 4
      for (int v = 0; v < Vectors; ++v) row[v] = V::load(b + v * V::lanes);
#pragma GCC unroll 16
      for (int m = 0; m < Rows; ++m) {
        const V value = V::all(from[m * a_row]);
#pragma GCC unroll 4
        for (int v = 0; v < Vectors; ++v) sum[m][v].add_product(value, row[v]);
      }
      from += a_step;
      b += b_step;
    }
  }
#pragma GCC unroll 16
  for (int m = 0; m < Rows; ++m, c += c_row) {
#pragma GCC unroll 4
    for (int v = 0; v + 1 < Vectors; ++v) sum[m][v].store(c + v * V::lanes);
    if (whole)
      sum[m][Vectors - 1].store(c + (Vectors - 1) * V::lanes);
    else
      sum[m][Vectors - 1].store(c + (Vectors - 1) * V::lanes, last);
  }
}

// Runs `job` for `rows` rows, as even tiles of at most max_tile_rows: one kernel per height.
template <class T, int Vectors>
void tile_rows(const TileJob<T>& job, std::int64_t rows) {
  using Kernel = void (*)(const TileJob<T>&, const T*, T*, const T*);
  static constexpr int tallest = max_tile_rows(Vectors);
  static constexpr auto kernels = []<int... R>(std::integer_sequence<int, R...>) {
    return std::array<Kernel, sizeof...(R)>{&tile<T, R + 1, Vectors>...};
  }
  (std::make_integer_sequence<int, tallest>{});
  for_tiles(rows, tallest, [&](std::int64_t first, std::int64_t height) {
    kernels[static_cast<std::size_t>(height - 1)](
        job, job.a + first * job.a_row, job.c + first * job.c_row,
        job.start == nullptr ? nullptr : job.start + first * job.start_row);
  });
}

}  // namespace

template <class T>
void tile_rows(const TileJob<T>& job, std::int64_t rows, int vectors) {
  if (vectors == 1) return tile_rows<T, 1>(job, rows);
  if (vectors == 2) return tile_rows<T, 2>(job, rows);
  return tile_rows<T, 3>(job, rows);
}

template void tile_rows(const TileJob<float>& job, std::int64_t rows, int vectors);
template void tile_rows(const TileJob<double>& job, std::int64_t rows, int vectors);

}  // namespace mini::cpu::MINI_ISA
