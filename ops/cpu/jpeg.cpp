// The JPEG simulator, one 16x16 tile of an image at a time: its four luminance and two chrominance
// blocks stay in the first cache from loading to storing. A tile depends on no other, forward and
// backward (padding repeats pixels of the same tile), so tiles are the unit of parallel work.
#include "ops/jpeg.h"

#include <algorithm>
#include <array>
#include <vector>

#include "ops/functors_jpeg.h"
#include "ops/kernels.h"
#include "tensor/parallel.h"

namespace mini::cpu::MINI_ISA {
namespace {

constexpr int side = 16, pixels = side * side;
constexpr int blocks = 6;  // Y: four, row by row; Cb; Cr

template <class T>
using Tile = std::array<std::array<T, pixels>, 3>;  // R, G, B
template <class T>
using Block = std::array<T, 64>;
template <class T>
using Blocks = std::array<Block<T>, blocks>;
template <class T>
using Tables = functors::JpegTables<T>;

// Where pixel (i, j) of a tile lies among the luminance and among the chrominance blocks.
constexpr int luma_block(int i, int j) { return i / 8 * 2 + j / 8; }
constexpr int luma_place(int i, int j) { return i % 8 * 8 + j % 8; }
constexpr int chroma_place(int i, int j) { return i / 2 * 8 + j / 2; }

template <class F>
void for_each_pixel(const F& f) {
  for (int i = 0; i < side; ++i)
    for (int j = 0; j < side; ++j)
      f(i * side + j, luma_block(i, j), luma_place(i, j), chroma_place(i, j));
}

// The stages before the DCT (x·255, colours, chroma means, -128), and their adjoint.
template <class T>
void split_colours(const Tables<T>& tables, const Tile<T>& rgb, Blocks<T>& out) {
  out[4].fill(0);
  out[5].fill(0);
  for_each_pixel([&](int p, int block, int luma, int chroma) {
    const auto mix = [&](int component) {
      return functors::mix_colours(tables.to_ycc[component], rgb[0][p] * T(255), rgb[1][p] * T(255),
                                   rgb[2][p] * T(255));
    };
    out[block][luma] = mix(0) - T(128);
    out[4][chroma] += mix(1) * T(0.25);
    out[5][chroma] += mix(2) * T(0.25);
  });
}

template <class T>
void split_colours_adjoint(const Tables<T>& tables, const Blocks<T>& dy, Tile<T>& drgb) {
  for_each_pixel([&](int p, int block, int luma, int chroma) {
    for (int c = 0; c < 3; ++c)
      drgb[c][p] = functors::mix_colours_adjoint(tables.to_ycc, c, dy[block][luma], dy[4][chroma],
                                                 dy[5][chroma]);
  });
}

// The stages after the inverse DCT (+128, chroma repeated, colours, /255) but for the clamp, and
// their adjoint.
template <class T>
void join_colours(const Tables<T>& tables, const Blocks<T>& in, Tile<T>& rgb) {
  for_each_pixel([&](int p, int block, int luma, int chroma) {
    for (int c = 0; c < 3; ++c)
      rgb[c][p] =
          functors::join_colours(tables.to_rgb[c], in[block][luma], in[4][chroma], in[5][chroma]);
  });
}

template <class T>
void join_colours_adjoint(const Tables<T>& tables, const Tile<T>& drgb, Blocks<T>& dy) {
  dy[4].fill(0);
  dy[5].fill(0);
  for_each_pixel([&](int p, int block, int luma, int chroma) {
    const auto mix = [&](int component) {
      return functors::join_colours_adjoint(tables.to_rgb, component, drgb[0][p] / T(255),
                                            drgb[1][p] / T(255), drgb[2][p] / T(255));
    };
    dy[block][luma] = mix(0);
    dy[4][chroma] += mix(1);
    dy[5][chroma] += mix(2);
  });
}

template <class T>
Block<T> product(const Block<T>& a, const Block<T>& b) {
  Block<T> c{};
  for (int i = 0; i < 8; ++i)
    for (int k = 0; k < 8; ++k)
      for (int j = 0; j < 8; ++j) c[i * 8 + j] += a[i * 8 + k] * b[k * 8 + j];
  return c;
}

// The simulator for one tile of an image.
template <class T>
class Simulator {
 public:
  explicit Simulator(double scale) : tables_(ops::dct_matrix().data()), rounds_(scale > 0) {
    for (int u = 0; u < 8; ++u)
      for (int i = 0; i < 8; ++i) {
        dct_[u * 8 + i] = tables_.dct[u * 8 + i];
        inverse_[i * 8 + u] = tables_.dct[u * 8 + i];
      }
    for (int which = 0; which < 2; ++which)
      for (int k = 0; k < 64; ++k)
        step_[which][k] = static_cast<T>(tables_.steps[which][k] * scale);
  }

  // rgb in place; the clamp is left to the caller. `levels`, if given, gets the coefficients in
  // steps, before rounding.
  void forward(Tile<T>& rgb, Blocks<T>* levels = nullptr) const {
    Blocks<T> ycc;
    split_colours(tables_, rgb, ycc);
    for (int b = 0; b < blocks; ++b) {
      const Block<T>& step = step_[b >= 4];
      Block<T> block = to_frequencies(ycc[b]);
      if (rounds_) {
        for (int k = 0; k < 64; ++k) block[k] /= step[k];
        if (levels != nullptr) (*levels)[b] = block;
        for (int k = 0; k < 64; ++k) block[k] = functors::soft_round(block[k]) * step[k];
      }
      ycc[b] = to_samples(block);
    }
    join_colours(tables_, ycc, rgb);
  }

  // drgb in place: through everything but the clamp. The steps cancel: what is divided by one
  // before rounding is multiplied by it after.
  void backward(Tile<T>& drgb, const Blocks<T>& levels) const {
    Blocks<T> dycc;
    join_colours_adjoint(tables_, drgb, dycc);
    for (int b = 0; b < blocks; ++b) {
      Block<T> block = to_frequencies(dycc[b]);
      if (rounds_)
        for (int k = 0; k < 64; ++k) block[k] *= functors::soft_round_slope(levels[b][k]);
      dycc[b] = to_samples(block);
    }
    split_colours_adjoint(tables_, dycc, drgb);
  }

 private:
  // The DCT is orthogonal: its inverse is its adjoint, so both directions serve both passes.
  Block<T> to_frequencies(const Block<T>& samples) const {
    return product(product(dct_, samples), inverse_);
  }
  Block<T> to_samples(const Block<T>& frequencies) const {
    return product(product(inverse_, frequencies), dct_);
  }

  Tables<T> tables_;
  bool rounds_;
  Block<T> dct_, inverse_;
  std::array<Block<T>, 2> step_;  // luminance, chrominance
};

// Calls body(simulator, offset of the image, tile row, tile column) for every tile.
template <class T, class Body>
void for_each_tile(const Shape& x, std::span<const double> scales, const Body& body) {
  std::vector<Simulator<T>> simulators;
  for (const double scale : scales) simulators.emplace_back(scale);
  const std::int64_t down = (x[2] + side - 1) / side, across = (x[3] + side - 1) / side;
  parallel_for(x[0] * down * across, 8, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t k = begin; k < end; ++k) {
      const std::int64_t n = k / (down * across);
      body(simulators[static_cast<std::size_t>(n)], n * 3 * x[2] * x[3], k / across % down * side,
           k % across * side);
    }
  });
}

// Calls f(position in the tile's plane, position in the image) for the tile's 3·256 elements;
// positions beyond the image are those of its last row and column.
template <class F>
void for_each_element(const Shape& x, std::int64_t row, std::int64_t column, const F& f) {
  for (std::size_t c = 0; c < 3; ++c)
    for (int i = 0; i < side; ++i) {
      const auto plane = static_cast<std::int64_t>(c);
      const std::int64_t start = (plane * x[2] + std::min(row + i, x[2] - 1)) * x[3];
      if (column + side <= x[3]) {
        for (int j = 0; j < side; ++j) f(c, i * side + j, start + column + j);
      } else {
        for (int j = 0; j < side; ++j) f(c, i * side + j, start + std::min(column + j, x[3] - 1));
      }
    }
}

// The part of a tile that lies in the image.
bool inside(const Shape& x, std::int64_t row, std::int64_t column, int p) {
  return row + p / side < x[2] && column + p % side < x[3];
}

}  // namespace

void diff_jpeg(const Tensor& x, std::span<const double> scales, const Tensor& y) {
  visit_real(x.dtype(), "diff_jpeg", [&](auto type) {
    using T = typename decltype(type)::type;
    const Shape shape = x.shape();
    for_each_tile<T>(
        shape, scales,
        [&](const Simulator<T>& simulator, std::int64_t image, std::int64_t row,
            std::int64_t column) {
          const T* const in = x.data<T>() + image;
          T* const out = y.data<T>() + image;
          Tile<T> tile;
          for_each_element(shape, row, column,
                           [&](std::size_t c, int p, std::int64_t at) { tile[c][p] = in[at]; });
          simulator.forward(tile);
          for_each_element(shape, row, column, [&](std::size_t c, int p, std::int64_t at) {
            if (inside(shape, row, column, p)) out[at] = std::clamp(tile[c][p], T(0), T(1));
          });
        });
  });
}

void diff_jpeg_gradient(const Tensor& dy, const Tensor& x, std::span<const double> scales,
                        const Tensor& dx) {
  visit_real(x.dtype(), "diff_jpeg", [&](auto type) {
    using T = typename decltype(type)::type;
    const Shape shape = x.shape();
    for_each_tile<T>(
        shape, scales,
        [&](const Simulator<T>& simulator, std::int64_t image, std::int64_t row,
            std::int64_t column) {
          const T* const in = x.data<T>() + image;
          const T* const gradient = dy.data<T>() + image;
          T* const out = dx.data<T>() + image;
          Tile<T> tile, dtile;
          Blocks<T> levels;
          for_each_element(shape, row, column,
                           [&](std::size_t c, int p, std::int64_t at) { tile[c][p] = in[at]; });
          simulator.forward(tile, &levels);
          for_each_element(shape, row, column, [&](std::size_t c, int p, std::int64_t at) {
            const bool free = tile[c][p] >= T(0) && tile[c][p] <= T(1);
            dtile[c][p] = free && inside(shape, row, column, p) ? gradient[at] : T(0);
          });
          simulator.backward(dtile, levels);
          for_each_element(shape, row, column,
                           [&](std::size_t c, int p, std::int64_t at) { out[at] += dtile[c][p]; });
        });
  });
}

}  // namespace mini::cpu::MINI_ISA
