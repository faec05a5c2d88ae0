// The kernels of gemm.h, one for every height and width of a tile: compiled here once for all that
// use them.
#include "ops/cpu/gemm.h"

#include <array>
#include <utility>

namespace mini::cpu::MINI_ISA {
namespace {

// Accumulators fill the registers but for what holds a row of B and a broadcast value. More than 14
// rows would bring nothing: 13 sums in flight already hide the latency of a multiply-add.
constexpr int max_tile_rows(int vectors) {
  const int rows = (vector_registers - 4) / vectors;
  return rows < 14 ? rows : 14;
}

template <class T, int Rows, int Vectors>
void tile(const TileJob<T>& job) {
  using V = Vec<T>;
  const auto last = V::first(job.last_lanes);
  V sum[Rows][Vectors];
  if (job.start == nullptr) {
#pragma GCC unroll 16
    for (int m = 0; m < Rows; ++m)
#pragma GCC unroll 4
      for (int v = 0; v < Vectors; ++v) sum[m][v] = V::zero();
  } else {
#pragma GCC unroll 16
    for (int m = 0; m < Rows; ++m) {
      const T* from = job.start + m * job.start_row;
#pragma GCC unroll 4
      for (int v = 0; v + 1 < Vectors; ++v) sum[m][v] = V::load(from + v * V::lanes);
      sum[m][Vectors - 1] = V::load(from + (Vectors - 1) * V::lanes, last);
    }
  }
  for (std::int64_t s = 0; s < job.segments; ++s) {
    const T* a = job.a + job.a_offset[s];
    const T* b = job.b + s * job.b_segment;
    for (std::int64_t k = 0; k < job.depth; ++k) {
      V row[Vectors];
#pragma GCC unroll 4
      for (int v = 0; v + 1 < Vectors; ++v) row[v] = V::load(b + v * V::lanes);
      row[Vectors - 1] = V::load(b + (Vectors - 1) * V::lanes, last);
#pragma GCC unroll 16
      for (int m = 0; m < Rows; ++m) {
        const V value = V::all(a[m * job.a_row]);
#pragma GCC unroll 4
        for (int v = 0; v < Vectors; ++v) sum[m][v].add_product(value, row[v]);
      }
      a += job.a_step;
      b += job.b_step;
    }
  }
#pragma GCC unroll 16
  for (int m = 0; m < Rows; ++m) {
    T* to = job.c + m * job.c_row;
#pragma GCC unroll 4
    for (int v = 0; v + 1 < Vectors; ++v) sum[m][v].store(to + v * V::lanes);
    sum[m][Vectors - 1].store(to + (Vectors - 1) * V::lanes, last);
  }
}

// Runs `job` for `rows` rows, as even tiles of at most max_tile_rows: one kernel per height.
template <class T, int Vectors>
void tile_rows(TileJob<T> job, std::int64_t rows) {
  using Kernel = void (*)(const TileJob<T>&);
  static constexpr int tallest = max_tile_rows(Vectors);
  static constexpr auto kernels = []<int... R>(std::integer_sequence<int, R...>) {
    return std::array<Kernel, sizeof...(R)>{&tile<T, R + 1, Vectors>...};
  }
  (std::make_integer_sequence<int, tallest>{});
  const std::int64_t tiles = (rows + tallest - 1) / tallest;
  for (std::int64_t i = 0; i < tiles; ++i) {
    const std::int64_t height = rows * (i + 1) / tiles - rows * i / tiles;
    kernels[static_cast<std::size_t>(height - 1)](job);
    job.a += height * job.a_row;
    job.c += height * job.c_row;
    if (job.start != nullptr) job.start += height * job.start_row;
  }
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
