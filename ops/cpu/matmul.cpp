// Matrix product on the CPU, C computed tile by tile (gemm.h) from packed copies of A and B.
//
// Both are packed in the order in which the tiles read them: B as panels a few vectors wide, A as
// tiles of interleaved rows. K is cut into blocks. A panel of one, which stays in the first or
// second-level cache, serves a block of rows, which stays in the second-level cache. A later block
// of K goes on from the sums in C, so no cut changes a bit.
#include "ops/cpu/gemm.h"
#include "ops/kernels.h"
#include "tensor/parallel.h"

namespace mini::cpu::MINI_ISA {
namespace {

constexpr int panel_vectors = 2;
constexpr std::int64_t tile_height = max_tile_rows(panel_vectors);
// Long sums, since a tile's way from C and back is dearer than a panel from the second-level cache.
constexpr std::int64_t block_depth = 512;
// Beside the panel a block of rows fits a cache of 256 KB.
template <class T>
constexpr std::int64_t block_rows = 112 * 1024 / (block_depth * std::int64_t{sizeof(T)});
constexpr std::int64_t packed_rows = 4096;       // of A at a time: a few MB
constexpr std::int64_t group = 16;               // panels of a task
constexpr std::int64_t worth_a_thread = 200000;  // multiply-adds

// The rows of a tile, for each k one row's value after the other's. Where the matrix ends within
// the tile, its last row is repeated.
template <class T>
void pack_tile(const Matrix<const T>& a, std::int64_t rows, std::int64_t depth, T* out) {
  const T* row[tile_height];
  for (std::int64_t m = 0; m < tile_height; ++m) row[m] = a.data + std::min(m, rows - 1) * a.row;
  for (std::int64_t k = 0; k < depth; ++k, out += tile_height)
#pragma GCC unroll 16
    for (std::int64_t m = 0; m < tile_height; ++m) out[m] = row[m][k * a.column];
}

template <class T>
class Product {
 public:
  Product(std::int64_t rows, std::int64_t columns, std::int64_t depth, const Matrix<const T>& a,
          const Matrix<const T>& b, T* c)
      : m_(rows), n_(columns), k_(depth), a_(a), b_(b), c_(c) {}
  void run() const;

 private:
  // Rows [top, top + rows) and terms [first, first + depth); where they lie packed.
  struct Block {
    std::int64_t top, rows, first, depth;
    T *tiles, *panels;

    // The rows are divided into so many parts, of whole tiles, part i beginning at row begin(i).
    std::int64_t parts() const { return (rows + block_rows<T> - 1) / block_rows<T>; }
    std::int64_t begin(std::int64_t i) const {
      const std::int64_t all = (rows + tile_height - 1) / tile_height;
      return std::min(rows, all * i / parts() * tile_height);
    }
  };

  // Packing pays when every value is used by several tiles.
  bool pack_a() const { return panel_count<T>(n_) >= 16; }
  bool pack_b() const { return b_.column != 1 || m_ >= 64; }
  // Tiles read whole vectors: the last panel of B, where it has a part of one, always is packed.
  bool packed(const Panel& panel) const { return pack_b() || panel.last_lanes < Vec<T>::lanes; }
  T* place(const Panel& panel, const Block& block) const {
    return block.panels + (pack_b() ? panel.first * block.depth : 0);
  }
  void pack(const Block& block) const;
  void multiply(const Block& block) const;
  void multiply(const Block& block, std::int64_t part, const Panel& panel) const;

  const std::int64_t m_, n_, k_;
  const Matrix<const T> a_, b_;
  T* const c_;
};

template <class T>
void Product<T>::pack(const Block& block) const {
  const std::int64_t parts = pack_a() ? block.parts() : 0;
  const std::int64_t panels = block.top == 0 ? panel_count<T>(n_) : 0;
  const auto pack_part = [&](std::int64_t i) {
    for (std::int64_t row = block.begin(i); row < block.begin(i + 1); row += tile_height) {
      const T* const from = a_.data + (block.top + row) * a_.row + block.first * a_.column;
      pack_tile<T>({from, a_.row, a_.column}, block.rows - row, block.depth,
                   block.tiles + row * block.depth);
    }
  };
  const auto pack_columns = [&](const Panel& panel) {
    if (packed(panel))
      pack_panel<T>({b_.data + block.first * b_.row, b_.row, b_.column}, block.depth, panel, n_,
                    place(panel, block));
  };
  parallel_for(parts + panels, 1 + 1024 / (block.depth + 1),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t i = begin; i < end; ++i)
                   if (i < parts)
                     pack_part(i);
                   else
                     pack_columns(panel_at<T>(i - parts, n_));
               });
}

template <class T>
void Product<T>::multiply(const Block& block, std::int64_t part, const Panel& panel) const {
  const std::int64_t begin = block.begin(part), rows = block.begin(part + 1) - begin;
  const std::int64_t zero = 0;
  T* const to = c_ + (block.top + begin) * n_ + panel.first;
  TileJob<T> job{
      .a = a_.data + (block.top + begin) * a_.row + block.first * a_.column,
      .a_row = a_.row,
      .a_step = a_.column,
      .a_offset = &zero,
      .b = packed(panel) ? place(panel, block) : b_.data + block.first * b_.row + panel.first,
      .b_step = packed(panel) ? panel_width<T>(panel) : b_.row,
      .b_segment = 0,
      .segments = 1,
      .depth = block.depth,
      .c = to,
      .c_row = n_,
      .last_lanes = panel.last_lanes,
      .start = block.first > 0 ? to : nullptr,
      .start_row = n_,
  };
  if (!pack_a()) return tile_rows(job, rows, panel.vectors);
  job.a_row = 1;
  job.a_step = tile_height;
  for (std::int64_t row = 0; row < rows; row += tile_height) {
    job.a = block.tiles + (begin + row) * block.depth;
    job.c = to + row * n_;
    if (job.start != nullptr) job.start = job.c;
    tile_rows(job, std::min(tile_height, rows - row), panel.vectors);
  }
}

template <class T>
void Product<T>::multiply(const Block& block) const {
  const std::int64_t panels = panel_count<T>(n_), groups = (panels + group - 1) / group;
  const std::int64_t columns = std::min(n_, group * panel_vectors * Vec<T>::lanes);
  const std::int64_t work = std::min(block_rows<T>, block.rows) * columns * block.depth;
  parallel_for(block.parts() * groups, 1 + worth_a_thread / (work + 1),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t task = begin; task < end; ++task) {
                   const std::int64_t first = task % groups * group;
                   for (std::int64_t p = first; p < std::min(first + group, panels); ++p)
                     multiply(block, task / groups, panel_at<T>(p, n_));
                 }
               });
}

template <class T>
void Product<T>::run() const {
  const auto room = [depth = std::min(k_, block_depth)](std::int64_t width) {
    return Storage(static_cast<std::size_t>(depth * width) * sizeof(T), Device{});
  };
  const Storage tiles = room(pack_a() ? std::min(m_, packed_rows) + tile_height : 0);
  const Storage panels = room(pack_b() ? whole_vectors<T>(n_) : max_tile_vectors * Vec<T>::lanes);
  for (std::int64_t first = 0; first < std::max<std::int64_t>(k_, 1); first += block_depth)
    for (std::int64_t top = 0; top < m_; top += packed_rows) {
      const Block block{top,
                        std::min(packed_rows, m_ - top),
                        first,
                        std::min(block_depth, k_ - first),
                        reinterpret_cast<T*>(tiles.data()),
                        reinterpret_cast<T*>(panels.data())};
      pack(block);
      multiply(block);
    }
}

}  // namespace

void matmul(const Tensor& a, const Tensor& b, const Tensor& y) {
  visit_real(y.dtype(), "matmul", [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t m = y.size(1), n = y.size(2), k = a.size(2), batch = y.size(0);
    const auto run = [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i)
        Product<T>(m, n, k, {a.data<T>() + i * a.strides()[0], a.strides()[1], a.strides()[2]},
                   {b.data<T>() + i * b.strides()[0], b.strides()[1], b.strides()[2]},
                   y.data<T>() + i * m * n)
            .run();
    };
    // Many matrices: one thread each. Few: every product is itself parallel.
    if (batch >= max_threads())
      parallel_for(batch, 1 + worth_a_thread / (m * n * k + 1), run);
    else
      run(0, batch);
  });
}

}  // namespace mini::cpu::MINI_ISA
