// Matrix product on the CPU: B is packed into panels a few vectors wide, C computed tile by tile
// (gemm.h). K is cut into blocks so that a panel stays in the cache; a later block goes on from the
// sums in C, so the cut does not change a bit.
#include "ops/cpu/gemm.h"
#include "ops/kernels.h"
#include "tensor/parallel.h"

namespace mini::cpu::MINI_ISA {
namespace {

constexpr std::int64_t block_depth = 512;
constexpr std::int64_t block_rows = 112;
constexpr std::int64_t worth_a_thread = 200000;  // multiply-adds

template <class T>
void product(std::int64_t m, std::int64_t n, std::int64_t k, const Matrix<const T>& a,
             const Matrix<const T>& b, T* c) {
  // Packing pays when each panel is used by several tiles.
  const bool pack = b.column != 1 || m >= 64;
  const Storage packed(
      pack ? static_cast<std::size_t>(block_depth * whole_vectors<T>(n)) * sizeof(T) : 0, Device{});
  T* const panels = reinterpret_cast<T*>(packed.data());
  const std::int64_t count = panel_count<T>(n);
  const std::int64_t row_blocks = (m + block_rows - 1) / block_rows;
  const std::int64_t zero = 0;
  for (std::int64_t first = 0; first < std::max<std::int64_t>(k, 1); first += block_depth) {
    const std::int64_t depth = std::min(block_depth, k - first);
    const Matrix<const T> b_block{b.data + first * b.row, b.row, b.column};
    if (pack) {
      parallel_for(count, 1 + 1024 / std::max<std::int64_t>(depth, 1),
                   [&](std::int64_t begin, std::int64_t end) {
                     for (std::int64_t p = begin; p < end; ++p) {
                       const Panel panel = panel_at<T>(p, n);
                       pack_panel(b_block, depth, panel, n, panels + panel.first * depth);
                     }
                   });
    }
    const auto run = [&](std::int64_t task) {
      const Panel panel = panel_at<T>(task / row_blocks, n);
      const std::int64_t row = task % row_blocks * block_rows;
      const TileJob<T> job{
          .a = a.data + row * a.row + first * a.column,
          .a_row = a.row,
          .a_step = a.column,
          .a_offset = &zero,
          .b = pack ? panels + panel.first * depth : b_block.data + panel.first,
          .b_step = pack ? panel_width<T>(panel) : b.row,
          .b_segment = 0,
          .segments = 1,
          .depth = depth,
          .c = c + row * n + panel.first,
          .c_row = n,
          .last_lanes = panel.last_lanes,
          .start = first > 0 ? c + row * n + panel.first : nullptr,
          .start_row = n,
      };
      tile_rows(job, std::min(block_rows, m - row), panel.vectors);
    };
    const std::int64_t work = std::min(block_rows, m) * std::min<std::int64_t>(n, 32) * depth;
    parallel_for(count * row_blocks, 1 + worth_a_thread / (work + 1), [&](auto begin, auto end) {
      for (std::int64_t task = begin; task < end; ++task) run(task);
    });
  }
}

}  // namespace

void matmul(const Tensor& a, const Tensor& b, const Tensor& y) {
  visit_real(y.dtype(), "matmul", [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t m = y.size(1), n = y.size(2), k = a.size(2), batch = y.size(0);
    const auto run = [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i)
        product<T>(m, n, k, {a.data<T>() + i * a.strides()[0], a.strides()[1], a.strides()[2]},
                   {b.data<T>() + i * b.strides()[0], b.strides()[1], b.strides()[2]},
                   y.data<T>() + i * m * n);
    };
    // Many matrices: one thread each. Few: every product is itself parallel.
    if (batch >= max_threads())
      parallel_for(batch, 1 + worth_a_thread / (m * n * k + 1), run);
    else
      run(0, batch);
  });
}

}  // namespace mini::cpu::MINI_ISA
