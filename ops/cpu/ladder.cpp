// The rungs of docs/convolution.md: the same 3x3 convolution, each time closer to how conv.cpp and
// winograd.cpp compute it. x [C,H,W], w [O,C,3,3], y [O,H,W], padding 1, one thread.
#include <array>
#include <vector>

#include "ops/cpu/gemm.h"
#include "ops/kernels.h"

namespace mini::cpu::MINI_ISA {
namespace {

struct Convolution {
  std::int64_t inputs, outputs, height, width;
  const float *x, *w;
  float* y;

  float weight(std::int64_t o, std::int64_t c, std::int64_t a, std::int64_t b) const {
    return w[((o * inputs + c) * 3 + a) * 3 + b];
  }
};

// Rung 1: the definition.
void naive(const Convolution& conv) {
  for (std::int64_t o = 0; o < conv.outputs; ++o)
    for (std::int64_t i = 0; i < conv.height; ++i)
      for (std::int64_t j = 0; j < conv.width; ++j) {
        float sum = 0;
        for (std::int64_t c = 0; c < conv.inputs; ++c)
          for (std::int64_t a = 0; a < 3; ++a)
            for (std::int64_t b = 0; b < 3; ++b) {
              const std::int64_t row = i + a - 1, column = j + b - 1;
              if (row < 0 || row >= conv.height || column < 0 || column >= conv.width) continue;
              sum +=
                  conv.weight(o, c, a, b) * conv.x[(c * conv.height + row) * conv.width + column];
            }
        conv.y[(o * conv.height + i) * conv.width + j] = sum;
      }
}

// Rung 2: the image is cut into bands of rows that stay in the cache while all weights pass over them,
// and the innermost loop runs along a row, so that the compiler computes it with vectors.
void tiled(const Convolution& conv) {
  constexpr std::int64_t band = 8;
  std::fill_n(conv.y, conv.outputs * conv.height * conv.width, 0.0f);
  for (std::int64_t top = 0; top < conv.height; top += band)
    for (std::int64_t o = 0; o < conv.outputs; ++o)
      for (std::int64_t c = 0; c < conv.inputs; ++c)
        for (std::int64_t i = top; i < std::min(top + band, conv.height); ++i) {
          float* const y = conv.y + (o * conv.height + i) * conv.width;
          for (std::int64_t a = 0; a < 3; ++a) {
            if (i + a < 1 || i + a > conv.height) continue;
            const float* const x = conv.x + (c * conv.height + i + a - 1) * conv.width;
            for (std::int64_t b = 0; b < 3; ++b) {
              const float weight = conv.weight(o, c, a, b);
              const std::int64_t first = b == 0 ? 1 : 0, last = conv.width - (b == 2 ? 1 : 0);
              for (std::int64_t j = first; j < last; ++j) y[j] += weight * x[j + b - 1];
            }
          }
        }
}

// x as [rows + 2][columns + 2][C] with a border of zeros, where the rows and columns are rounded up to
// multiples of `unit`.
struct Pixels {
  std::int64_t channels, row;  // floats of a row
  std::vector<float> values;

  Pixels(const Convolution& conv, std::int64_t unit) : channels(conv.inputs) {
    const auto rounded = [&](std::int64_t size) { return (size + unit - 1) / unit * unit; };
    row = (rounded(conv.width) + 2) * channels;
    values.resize(static_cast<std::size_t>((rounded(conv.height) + 2) * row));
    for (std::int64_t c = 0; c < channels; ++c)
      for (std::int64_t i = 0; i < conv.height; ++i)
        for (std::int64_t j = 0; j < conv.width; ++j)
          values[static_cast<std::size_t>((i + 1) * row + (j + 1) * channels + c)] =
              conv.x[(c * conv.height + i) * conv.width + j];
  }
  const float* at(std::int64_t i, std::int64_t j) const {
    return values.data() + (i + 1) * row + (j + 1) * channels;
  }
};

// [rows][O] for each of `rows` rows of A, in tiles of C that stay in registers (gemm.h). `b` is
// [segments][depth][O], O padded to whole vectors.
void multiply(TileJob<float> job, std::int64_t rows, std::int64_t outputs) {
  const float* const b = job.b;
  float* const c = job.c;
  for (std::int64_t p = 0; p < panel_count<float>(outputs); ++p) {
    const Panel panel = panel_at<float>(p, outputs);
    job.b = b + panel.first;
    job.c = c + panel.first;
    job.last_lanes = panel.last_lanes;
    tile_rows(job, rows, panel.vectors);
  }
}

// Row i of y from [j][o].
void store_row(const Convolution& conv, std::int64_t i, const float* sums) {
  for (std::int64_t o = 0; o < conv.outputs; ++o)
    for (std::int64_t j = 0; j < conv.width; ++j)
      conv.y[(o * conv.height + i) * conv.width + j] = sums[j * conv.outputs + o];
}

// Rung 3: a matrix product for every row of the image. A tile of pixels and output channels stays in
// registers until all inputs and all taps are summed.
void in_registers(const Convolution& conv) {
  const std::int64_t width = whole_vectors<float>(conv.outputs), depth = 3 * conv.inputs;
  const Pixels pixels(conv, 1);
  std::vector<float> filter(static_cast<std::size_t>(3 * depth * width));  // [a][b][c][o]
  for (std::int64_t o = 0; o < conv.outputs; ++o)
    for (std::int64_t c = 0; c < conv.inputs; ++c)
      for (std::int64_t tap = 0; tap < 9; ++tap)
        filter[static_cast<std::size_t>((tap * conv.inputs + c) * width + o)] =
            conv.weight(o, c, tap / 3, tap % 3);
  const std::array<std::int64_t, 3> kernel_rows{0, pixels.row, 2 * pixels.row};
  std::vector<float> sums(static_cast<std::size_t>(conv.width * conv.outputs));  // [j][o]
  for (std::int64_t i = 0; i < conv.height; ++i) {
    multiply({.a = pixels.at(i - 1, -1),
              .a_row = conv.inputs,
              .a_step = 1,
              .a_offset = kernel_rows.data(),
              .b = filter.data(),
              .b_step = width,
              .b_segment = depth * width,
              .segments = 3,
              .depth = depth,
              .c = sums.data(),
              .c_row = conv.outputs},
             conv.width, conv.outputs);
    store_row(conv, i, sums.data());
  }
}

using Four = std::array<float, 4>;

Four filter_transform(float g0, float g1, float g2) {  // G g
  return {g0, (g0 + g1 + g2) / 2, (g0 - g1 + g2) / 2, g2};
}
Four input_transform(float d0, float d1, float d2, float d3) {  // Bt d
  return {d0 - d2, d1 + d2, d2 - d1, d1 - d3};
}
std::array<float, 2> output_transform(float m0, float m1, float m2, float m3) {  // At m
  return {m0 + m1 + m2, m1 - m2 - m3};
}

// Rung 4: Winograd's F(2x2, 3x3). For each row of 2x2 tiles: V = Bt d B, sixteen products M = V U,
// y = At M A.
class Winograd {
 public:
  explicit Winograd(const Convolution& conv)
      : conv_(conv),
        width_(whole_vectors<float>(conv.outputs)),
        tiles_((conv.width + 1) / 2),
        pixels_(conv, 2),
        u_(floats(16 * conv.inputs * width_)),
        v_(floats(16 * tiles_ * conv.inputs)),
        m_(floats(16 * tiles_ * width_)),
        sums_(floats(4 * tiles_ * conv.outputs)) {}

  void run() {
    transform_filter();
    for (std::int64_t i = 0; i < conv_.height; i += 2) {
      transform_input(i);
      for (std::int64_t f = 0; f < 16; ++f) multiply_frequency(f);
      transform_output(i);
    }
  }

 private:
  static std::vector<float> floats(std::int64_t count) {
    return std::vector<float>(static_cast<std::size_t>(count));
  }

  void transform_filter() {  // U = G g Gt
    for (std::int64_t o = 0; o < conv_.outputs; ++o)
      for (std::int64_t c = 0; c < conv_.inputs; ++c) {
        std::array<Four, 3> columns;  // G g
        for (std::int64_t b = 0; b < 3; ++b)
          columns[static_cast<std::size_t>(b)] = filter_transform(
              conv_.weight(o, c, 0, b), conv_.weight(o, c, 1, b), conv_.weight(o, c, 2, b));
        for (std::size_t y = 0; y < 4; ++y) {
          const Four row = filter_transform(columns[0][y], columns[1][y], columns[2][y]);
          for (std::size_t x = 0; x < 4; ++x)
            u_[(4 * y + x) * static_cast<std::size_t>(conv_.inputs * width_) +
               static_cast<std::size_t>(c * width_ + o)] = row[x];
        }
      }
  }

  // V of the tiles whose outputs are the rows i and i + 1.
  void transform_input(std::int64_t i) {
    for (std::int64_t tile = 0; tile < tiles_; ++tile) {
      const float* const patch = pixels_.at(i - 1, 2 * tile - 1);
      float* const v = v_.data() + tile * conv_.inputs;
#pragma omp simd
      for (std::int64_t c = 0; c < conv_.inputs; ++c) {
        std::array<Four, 4> columns;  // Bt d
        for (std::int64_t x = 0; x < 4; ++x) {
          const float* const d = patch + x * conv_.inputs + c;
          columns[static_cast<std::size_t>(x)] =
              input_transform(d[0], d[pixels_.row], d[2 * pixels_.row], d[3 * pixels_.row]);
        }
        for (std::size_t y = 0; y < 4; ++y) {
          const Four row =
              input_transform(columns[0][y], columns[1][y], columns[2][y], columns[3][y]);
          for (std::size_t x = 0; x < 4; ++x)
            v[static_cast<std::int64_t>(4 * y + x) * tiles_ * conv_.inputs + c] = row[x];
        }
      }
    }
  }

  void multiply_frequency(std::int64_t f) {  // M_f = V_f U_f
    const std::int64_t zero = 0;
    multiply({.a = v_.data() + f * tiles_ * conv_.inputs,
              .a_row = conv_.inputs,
              .a_step = 1,
              .a_offset = &zero,
              .b = u_.data() + f * conv_.inputs * width_,
              .b_step = width_,
              .segments = 1,
              .depth = conv_.inputs,
              .c = m_.data() + f * tiles_ * width_,
              .c_row = width_},
             tiles_, conv_.outputs);
  }

  void transform_output(std::int64_t i) {
    const std::int64_t row = 2 * tiles_ * conv_.outputs;  // floats of a row of pixels [j][o]
    for (std::int64_t tile = 0; tile < tiles_; ++tile) {
      float* const y = sums_.data() + 2 * tile * conv_.outputs;
#pragma omp simd
      for (std::int64_t o = 0; o < conv_.outputs; ++o) {
        const float* const m = m_.data() + tile * width_ + o;
        const auto at = [&](std::int64_t f) { return m[f * tiles_ * width_]; };
        std::array<std::array<float, 2>, 4> columns;  // At M
        for (std::int64_t x = 0; x < 4; ++x)
          columns[static_cast<std::size_t>(x)] =
              output_transform(at(x), at(4 + x), at(8 + x), at(12 + x));
        for (std::size_t k = 0; k < 2; ++k) {
          const auto pair =
              output_transform(columns[0][k], columns[1][k], columns[2][k], columns[3][k]);
          y[static_cast<std::int64_t>(k) * row + o] = pair[0];
          y[static_cast<std::int64_t>(k) * row + conv_.outputs + o] = pair[1];
        }
      }
    }
    store_row(conv_, i, sums_.data());
    if (i + 1 < conv_.height) store_row(conv_, i + 1, sums_.data() + row);
  }

  const Convolution conv_;
  const std::int64_t width_, tiles_;
  const Pixels pixels_;
  std::vector<float> u_, v_, m_;  // [16][C][O], [16][tile][C], [16][tile][O]; O padded
  std::vector<float> sums_;       // [2][j][o]
};

}  // namespace

void convolve_on_rung(Rung rung, const Tensor& x, const Tensor& w, const Tensor& y) {
  const Convolution conv{.inputs = x.size(0),
                         .outputs = w.size(0),
                         .height = x.size(1),
                         .width = x.size(2),
                         .x = x.data<float>(),
                         .w = w.data<float>(),
                         .y = y.data<float>()};
  switch (rung) {
    case Rung::naive:
      return naive(conv);
    case Rung::tiled:
      return tiled(conv);
    case Rung::in_registers:
      return in_registers(conv);
    case Rung::winograd:
      return Winograd(conv).run();
  }
}

}  // namespace mini::cpu::MINI_ISA
