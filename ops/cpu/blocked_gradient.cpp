// Weight gradients of 3x3 convolutions on blocked images:
//   dw[o, i, ky, kx] = Σ over y, x of dy[o, y, x] · in[i, y + ky - 1, x + kx - 1]
// for one block of input channels. As in blocked.cpp a tile of results stays in registers, here
// over the pixels of a few rows; the few rows' sums are then added to the total. Summing in two
// levels also keeps the rounding error of a sum over a whole batch small.
#include <algorithm>
#include <array>
#include <utility>

#include "ops/cpu/blocked.h"
#include "ops/cpu/simd.h"

namespace mini::cpu::MINI_ISA::blocked {
namespace {

using Vector = Vec<float>;
constexpr std::int64_t lanes = Vector::lanes;

constexpr std::int64_t wide_vectors = 2;
constexpr std::int64_t wide_tile = wide_vectors * lanes;
constexpr std::int64_t wide_inputs = lanes == 16 ? 12 : 6;  // at most; lanes hold outputs
constexpr std::int64_t thin_outputs = 3;
constexpr int thin_rows = lanes == 16 ? 3 : 1;  // of the window at a time; lanes hold inputs

void add(float* to, Vector value) { Vector{Vector::load(to).value + value.value}.store(to); }

// in: pixel (y + ky - 1, kx - 1), first channel of the tile; dy: pixel (y, 0).
template <int vectors, int inputs>
void wide_kernel(const float* in, const float* dy, const Layout& layout, std::int64_t rows,
                 std::int64_t dy_plane, float* sums) {
  Vector sum[inputs][vectors];
  for (auto& of_input : sum)
    for (Vector& s : of_input) s = Vector::zero();
  for (std::int64_t y = 0; y < rows; ++y) {
    const float* pixel = in + y * layout.row();
    const float* gradient = dy + y * layout.row();
    for (std::int64_t x = 0; x < layout.width; ++x, pixel += block, gradient += block) {
      Vector g[vectors];
      for (int v = 0; v < vectors; ++v)
        g[v] = Vector::load(gradient + v * lanes / block * dy_plane + v * lanes % block);
      for (int i = 0; i < inputs; ++i) {
        const Vector value = Vector::all(pixel[i]);
        for (int v = 0; v < vectors; ++v) sum[i][v].add_product(value, g[v]);
      }
    }
  }
  for (int i = 0; i < inputs; ++i)
    for (int v = 0; v < vectors; ++v) add(sums + (i * vectors + v) * lanes, sum[i][v]);
}

using WideKernel = void (*)(const float*, const float*, const Layout&, std::int64_t, std::int64_t,
                            float*);
template <int vectors, std::size_t... i>
constexpr std::array<WideKernel, sizeof...(i)> wide_kernels(std::index_sequence<i...>) {
  return {wide_kernel<vectors, static_cast<int>(i) + 1>...};
}

// in: pixel (y - 1 + first row of the window, -1); dy[o]: pixel (y, 0) of output o.
template <int window_rows>
void thin_kernel(const float* in, const float* const (&dy)[thin_outputs], const Layout& layout,
                 std::int64_t rows, float* sums) {
  Vector sum[window_rows * 3][thin_outputs];
  for (auto& of_tap : sum)
    for (Vector& s : of_tap) s = Vector::zero();
  for (std::int64_t y = 0; y < rows; ++y)
    for (std::int64_t x = 0; x < layout.width; ++x) {
      const std::int64_t pixel = y * layout.row() + x * block;
      Vector g[thin_outputs];
      for (int o = 0; o < thin_outputs; ++o) g[o] = Vector::all(dy[o][pixel]);
      for (int tap = 0; tap < window_rows * 3; ++tap) {
        const Vector value = Vector::load(in + pixel + tap / 3 * layout.row() + tap % 3 * block);
        for (int o = 0; o < thin_outputs; ++o) sum[tap][o].add_product(value, g[o]);
      }
    }
  for (int tap = 0; tap < window_rows * 3; ++tap)
    for (int o = 0; o < thin_outputs; ++o)
      add(sums + (tap * thin_outputs + o) * block, sum[tap][o]);
}

// Enough pixels that adding to the totals does not count, few enough that they stay in the
// first-level cache over the passes for nine taps.
std::int64_t rows_at_a_time(const Layout& layout) {
  return std::max<std::int64_t>(1, 128 / std::max<std::int64_t>(1, layout.width));
}

std::int64_t padded(std::int64_t outputs) { return blocks_for(outputs) * block; }

void wide_weight_gradient(const float* in, std::int64_t inputs, const float* dy,
                          std::int64_t outputs, const Layout& layout, float* sums) {
  static constexpr auto whole = wide_kernels<wide_vectors>(std::make_index_sequence<wide_inputs>());
  static constexpr auto half = wide_kernels<1>(std::make_index_sequence<wide_inputs>());
  const std::int64_t step = rows_at_a_time(layout),
                     parts = (inputs + wide_inputs - 1) / wide_inputs;
  for (std::int64_t y = 0; y < layout.height; y += step) {
    const std::int64_t rows = std::min(step, layout.height - y);
    float* to = sums;
    for (std::int64_t first = 0; first < padded(outputs); first += wide_tile) {
      const float* gradient = dy + layout.at(first / block, y) + block + first % block;
      const std::int64_t size = std::min(wide_tile, padded(outputs) - first);
      const auto& kernels = size == wide_tile ? whole : half;
      for (int tap = 0; tap < 9; ++tap) {
        const float* pixel = in + layout.at(0, y + tap / 3 - 1) + tap % 3 * block;
        for (std::int64_t part = 0; part < parts; ++part) {
          const std::int64_t begin = inputs * part / parts, end = inputs * (part + 1) / parts;
          kernels[static_cast<std::size_t>(end - begin - 1)](pixel + begin, gradient, layout, rows,
                                                             layout.plane(), to);
          to += (end - begin) * size;
        }
      }
    }
  }
}

void unpack_wide_gradient(const float* sums, std::int64_t inputs, std::int64_t outputs,
                          std::int64_t stride, float* dw) {
  for (std::int64_t first = 0; first < padded(outputs); first += wide_tile) {
    const std::int64_t size = std::min(wide_tile, padded(outputs) - first);
    for (int tap = 0; tap < 9; ++tap)
      for (std::int64_t i = 0; i < inputs; ++i, sums += size)
        for (std::int64_t o = first; o < std::min(first + size, outputs); ++o)
          dw[o * stride + i * 9 + tap] = sums[o - first];
  }
}

void thin_weight_gradient(const float* in, const float* dy, std::int64_t outputs,
                          const Layout& layout, float* sums) {
  const std::int64_t step = rows_at_a_time(layout);
  for (std::int64_t y = 0; y < layout.height; y += step) {
    const std::int64_t rows = std::min(step, layout.height - y);
    float* to = sums;
    for (std::int64_t first = 0; first < outputs; first += thin_outputs) {
      const float* gradients[thin_outputs];
      for (std::int64_t o = 0; o < thin_outputs; ++o) {
        const std::int64_t channel = std::min(first + o, outputs - 1);  // repeats are not unpacked
        gradients[o] = dy + layout.at(channel / block, y) + block + channel % block;
      }
      for (int ky = 0; ky < 3; ky += thin_rows)
        for (std::int64_t part = 0; part < block; part += lanes)
          thin_kernel<thin_rows>(in + layout.at(0, y + ky - 1) + part, gradients, layout, rows,
                                 to + thin_outputs * 3 * ky * block + part);
      to += 9 * thin_outputs * block;
    }
  }
}

void unpack_thin_gradient(const float* sums, std::int64_t inputs, std::int64_t outputs,
                          std::int64_t stride, float* dw) {
  for (std::int64_t o = 0; o < outputs; ++o)
    for (int tap = 0; tap < 9; ++tap)
      for (std::int64_t i = 0; i < inputs; ++i)
        dw[o * stride + i * 9 + tap] =
            sums[((o / thin_outputs * 9 + tap) * thin_outputs + o % thin_outputs) * block + i];
}

}  // namespace

std::int64_t gradient_size(std::int64_t outputs) {
  return std::max(padded(outputs), (outputs + thin_outputs - 1) / thin_outputs * thin_outputs) * 9 *
         block;
}

// Few outputs: inputs in the lanes, so that none is empty.
void weight_gradient(const float* in, std::int64_t inputs, const float* dy, std::int64_t outputs,
                     const Layout& layout, float* sums) {
  if (outputs < block)
    thin_weight_gradient(in, dy, outputs, layout, sums);
  else
    wide_weight_gradient(in, inputs, dy, outputs, layout, sums);
}

void unpack_gradient(const float* sums, std::int64_t inputs, std::int64_t outputs,
                     std::int64_t stride, float* dw) {
  const auto unpack = outputs < block ? unpack_thin_gradient : unpack_wide_gradient;
  unpack(sums, inputs, outputs, stride, dw);
}

void channel_sums(const float* image, std::int64_t channels, const Layout& layout, float* sums) {
  for (std::int64_t first = 0; first < channels; first += block)
    for (std::int64_t y = 0; y < layout.height; ++y) {
      const float* pixel = image + layout.at(first / block, y) + block;
      float row[block] = {};
      for (std::int64_t x = 0; x < layout.width; ++x, pixel += block)
        for (std::int64_t c = 0; c < block; ++c) row[c] += pixel[c];
      for (std::int64_t c = 0; c < block; ++c) sums[first + c] += row[c];
    }
}

}  // namespace mini::cpu::MINI_ISA::blocked
