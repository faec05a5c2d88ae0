// The convolutions of winograd.h. A row of tiles is cut into chunks whose V stays in the
// second-level cache; for each chunk: transform, sixteen products, transform back.
#include "ops/cpu/winograd.h"

#include <algorithm>

#include "ops/cpu/dot_tile.h"
#include "ops/cpu/gemm.h"
#include "ops/cpu/winograd_transforms.h"

namespace mini::cpu::MINI_ISA::winograd {
namespace {

using blocked::block;
using blocked::padded;

// Tiles of a chunk, at most. With 137 inputs four frequencies of its V are 28 KB.
constexpr std::int64_t chunk_tiles = 12;

std::int64_t v_size(std::int64_t inputs) {
  return 4 * chunk_tiles * InputColumns::largest_pitch(inputs);
}
// M of one frequency: [tile][output], or a panel of outputs after the other, in whole vectors.
std::int64_t m_stride(std::int64_t outputs) { return chunk_tiles * padded(outputs); }

// U = G g Gt for one filter in each lane: g[tap][lane], u[frequency][lane].
void transform_filter(const float (&g)[9][lanes], float (&u)[frequencies][lanes]) {
  float rows[4][3][lanes];  // G g
  for (int x = 0; x < 3; ++x)
    for (std::int64_t l = 0; l < lanes; ++l) {
      const float outer = 0.5f * (g[x][l] + g[6 + x][l]), middle = 0.5f * g[3 + x][l];
      rows[0][x][l] = g[x][l];
      rows[1][x][l] = outer + middle;
      rows[2][x][l] = outer - middle;
      rows[3][x][l] = g[6 + x][l];
    }
  for (int y = 0; y < 4; ++y)
    for (std::int64_t l = 0; l < lanes; ++l) {
      const auto& [g0, g1, g2] = rows[y];
      const float outer = 0.5f * (g0[l] + g2[l]), middle = 0.5f * g1[l];
      u[4 * y][l] = g0[l];
      u[4 * y + 1][l] = outer + middle;
      u[4 * y + 2][l] = outer - middle;
      u[4 * y + 3][l] = g2[l];
    }
}

float weight_at(const WeightSource& source, std::int64_t output, int tap) {
  return source.data[output * source.stride + (source.flipped ? 8 - tap : tap)];
}

// Row y of M, four frequencies, from that of V.
void multiply(const Filter& filter, int y, const float* v, std::int64_t pitch, std::int64_t tiles,
              float* m) {
  const std::int64_t none = 0;
  const std::int64_t columns = padded(filter.outputs);
  for (std::int64_t x = 0; x < 4; ++x) {
    const float* const a = v + x * tiles * pitch;
    float* const c = m + (4 * y + x) * m_stride(filter.outputs);
    const float* const u = filter.frequency(4 * y + x);
    if (filter.narrow) {
      dot_rows<float>({.a = a,
                       .a_row = pitch,
                       .a_offset = &none,
                       .b = u,
                       .segments = 1,
                       .depth = filter.inputs,
                       .c = c,
                       .c_row = filter.outputs,
                       .start = nullptr},
                      tiles, filter.outputs);
      continue;
    }
    for (std::int64_t p = 0; p < panel_count<float>(columns); ++p) {
      const Panel panel = panel_at<float>(p, columns);
      const std::int64_t width = panel_width<float>(panel);
      tile_rows<float>({.a = a,
                        .a_row = pitch,
                        .a_step = 1,
                        .a_offset = &none,
                        .b = u + panel.first * filter.inputs,
                        .b_step = width,
                        .b_segment = 0,
                        .segments = 1,
                        .depth = filter.inputs,
                        .c = c + panel.first * tiles,
                        .c_row = width,
                        .last_lanes = panel.last_lanes,
                        .start = nullptr,
                        .start_row = 0},
                       tiles, panel.vectors);
    }
  }
}

// Y = At M A, a vector of `m` at a time: y[2·row + column].
std::array<Vector, 4> transform_output(const float* m, std::int64_t stride) {
  std::array<Two, 4> columns;  // At M
  for (std::int64_t x = 0; x < 4; ++x) {
    const auto at = [&](std::int64_t y) { return Vector::load(m + (4 * y + x) * stride); };
    columns[static_cast<std::size_t>(x)] = output_transform(at(0), at(1), at(2), at(3));
  }
  const auto row = [&](std::size_t y) {
    return output_transform(columns[0][y], columns[1][y], columns[2][y], columns[3][y]);
  };
  const Two first = row(0), second = row(1);
  return {first[0], first[1], second[0], second[1]};
}

// Calls body(first tile, tiles, m) for each chunk of a row of tiles, m holding its products.
template <class Body>
void for_chunks(const Window& in, std::int64_t width, const Filter& filter, const Scratch& scratch,
                const Body& body) {
  const std::int64_t all = (width + 1) / 2, chunks = (all + chunk_tiles - 1) / chunk_tiles;
  const auto [lead, pitch] = InputColumns(in.channels);
  float* const m = scratch.data();
  float* const v = m + frequencies * m_stride(filter.outputs) + lead;
  for (std::int64_t i = 0; i < chunks; ++i) {
    const std::int64_t first = all * i / chunks, tiles = all * (i + 1) / chunks - first;
    for (int y = 0; y < 4; ++y) {
      transform_input(in, y, first, tiles, v, pitch, tiles * pitch);
      multiply(filter, y, v, pitch, tiles, m);
    }
    body(first, tiles, m);
  }
}

// Calls body(first output, tile, y) for each vector of outputs and each tile of a chunk.
template <class Body>
void for_output_vectors(const Filter& filter, std::int64_t tiles, const float* m,
                        const Body& body) {
  const std::int64_t columns = padded(filter.outputs), stride = m_stride(filter.outputs);
  for (std::int64_t p = 0; p < panel_count<float>(columns); ++p) {
    const Panel panel = panel_at<float>(p, columns);
    const std::int64_t width = panel_width<float>(panel);
    for (std::int64_t o = 0; o < width; o += lanes)
      for (std::int64_t t = 0; t < tiles; ++t)
        body(panel.first + o, t, transform_output(m + panel.first * tiles + t * width + o, stride));
  }
}

Vector activate(Vector y, Vector sign, float slope) {
  return {sign.value > Vector::zero().value ? y.value : y.value * Vector::all(slope).value};
}

}  // namespace

Window window(const float* image, const blocked::Layout& layout,
              std::span<const std::int64_t> channels, std::int64_t t) {
  const float* const first = image + layout.at(0, 2 * t - 1);
  return {{first, first + layout.row(), first + 2 * layout.row(), first + 3 * layout.row()},
          layout.plane(),
          channels};
}

// Counted in multiply-adds of vectors per tile and frequency; adding up a vector costs about six.
bool Filter::narrow_is_faster(std::int64_t inputs, std::int64_t outputs) {
  const std::int64_t wide_cost = whole_vectors<float>(outputs) / lanes * inputs;
  const std::int64_t narrow_cost = outputs * (whole_vectors<float>(inputs) / lanes + 6);
  return outputs <= max_dot_columns && narrow_cost < wide_cost;
}

std::int64_t Filter::size(std::int64_t inputs, std::int64_t outputs) {
  return padded(outputs) +
         frequencies * std::max(inputs * padded(outputs), outputs * padded(inputs));
}

float* Filter::frequency(std::int64_t f) const {
  const std::int64_t size =
      narrow ? outputs * whole_vectors<float>(inputs) : inputs * padded(outputs);
  return memory + padded(outputs) + f * size;
}

void Filter::pack(std::span<const WeightSource> sources, const float* bias) const {
  for (std::int64_t o = 0; o < padded(outputs); ++o)
    memory[o] = bias != nullptr && o < outputs ? bias[o] : 0.0f;
  float g[9][lanes], u[frequencies][lanes];
  const auto put = [&](std::int64_t offset) {
    transform_filter(g, u);
    for (std::int64_t f = 0; f < frequencies; ++f) std::copy_n(u[f], lanes, frequency(f) + offset);
  };
  if (narrow) {  // [output][input]
    const std::int64_t length = whole_vectors<float>(inputs);
    for (std::int64_t o = 0; o < outputs; ++o)
      for (std::int64_t first = 0; first < inputs; first += lanes) {
        for (int tap = 0; tap < 9; ++tap)
          for (std::int64_t l = 0; l < lanes; ++l)
            g[tap][l] = first + l < inputs
                            ? weight_at(sources[static_cast<std::size_t>(first + l)], o, tap)
                            : 0.0f;
        put(o * length + first);
      }
    return;
  }
  for (std::int64_t p = 0; p < panel_count<float>(padded(outputs)); ++p) {  // [input][output]
    const Panel panel = panel_at<float>(p, padded(outputs));
    const std::int64_t width = panel_width<float>(panel);
    for (std::int64_t i = 0; i < inputs; ++i)
      for (std::int64_t v = 0; v < width; v += lanes) {
        const std::int64_t first = panel.first + v;
        for (int tap = 0; tap < 9; ++tap)
          for (std::int64_t l = 0; l < lanes; ++l)
            g[tap][l] = first + l < outputs
                            ? weight_at(sources[static_cast<std::size_t>(i)], first + l, tap)
                            : 0.0f;
        put(panel.first * inputs + i * width + v);
      }
  }
}

void transform_input(const Window& in, int y, std::int64_t first, std::int64_t tiles, float* v,
                     std::int64_t pitch, std::int64_t frequency_stride) {
  const InputPair pair = input_pairs[y];
  for (std::size_t b = 0; b < in.channels.size(); ++b, v += in.channels[b - 1])
    for (std::int64_t part = 0; part < block; part += lanes) {
      const std::int64_t at = static_cast<std::int64_t>(b) * in.plane + 2 * first * block + part;
      const float* const plus = in.rows[pair.plus] + at;
      const float* const also = in.rows[pair.also] + at;
      const auto run = [&](const auto& column) {  // column(x): row y of Bt d
        Vector d0 = column(0), d1 = column(1);
        for (std::int64_t t = 0; t < tiles; ++t) {
          const Vector d2 = column(2 * t + 2), d3 = column(2 * t + 3);
          float* to = v + t * pitch + part;
          for (const Vector value : input_transform(d0, d1, d2, d3)) {
            value.store(to);
            to += frequency_stride;
          }
          d0 = d2;
          d1 = d3;
        }
      };
      if (pair.add)
        run([&](std::int64_t x) {
          return Vector::load(plus + x * block) + Vector::load(also + x * block);
        });
      else
        run([&](std::int64_t x) {
          return Vector::load(plus + x * block) - Vector::load(also + x * block);
        });
    }
}

std::int64_t Scratch::size(std::int64_t inputs, std::int64_t outputs) {
  return v_size(inputs) + frequencies * m_stride(outputs);
}

void convolve(const Window& in, std::int64_t width, const Filter& filter, const Scratch& scratch,
              float slope, const Rows<const float>* sign, const Rows<float>& out) {
  for_chunks(in, width, filter, scratch, [&](std::int64_t first, std::int64_t tiles, float* m) {
    for_output_vectors(filter, tiles, m, [&](std::int64_t o, std::int64_t t, const auto& y) {
      const std::int64_t x = 2 * (first + t);
      const auto at = [&](std::int64_t plane) { return o / block * plane + x * block + o % block; };
      const Vector bias = Vector::load(filter.bias() + o);
      const auto finish = [&](float* row, const float* sign_row, Vector left, Vector right) {
        if (row == nullptr) return;
        const float* const signs = sign_row == nullptr ? nullptr : sign_row + at(sign->plane);
        left = left + bias;
        right = right + bias;
        float* const to = row + at(out.plane);
        activate(left, signs ? Vector::load(signs) : left, slope).store(to);
        if (x + 1 == width) return;
        activate(right, signs ? Vector::load(signs + block) : right, slope).store(to + block);
      };
      finish(out.first, sign ? sign->first : nullptr, y[0], y[1]);
      finish(out.second, sign ? sign->second : nullptr, y[2], y[3]);
    });
  });
}

void convolve(const Window& in, std::int64_t width, const Filter& filter, const Scratch& scratch,
              const Rows<float>& out) {
  for_chunks(in, width, filter, scratch, [&](std::int64_t first, std::int64_t tiles, float* m) {
    const auto put = [&](std::int64_t o, std::int64_t t, const float(&y)[4]) {
      const std::int64_t at = o * out.plane + 2 * (first + t);
      const float bias = filter.bias()[o];
      const bool whole = 2 * (first + t) + 1 < width;
      out.first[at] = y[0] + bias;
      if (whole) out.first[at + 1] = y[1] + bias;
      if (out.second == nullptr) return;
      out.second[at] = y[2] + bias;
      if (whole) out.second[at + 1] = y[3] + bias;
    };
    const auto put_vector = [&](std::int64_t count, const std::array<Vector, 4>& y,
                                const auto& output, const auto& tile) {
      float values[4][lanes];
      for (std::size_t i = 0; i < 4; ++i) y[i].store(values[i]);
      for (std::int64_t l = 0; l < count; ++l)
        put(output(l), tile(l), {values[0][l], values[1][l], values[2][l], values[3][l]});
    };
    if (filter.narrow) {  // M is [tile][output] without gaps, so vectors run over both
      for (std::int64_t i = 0; i < tiles * filter.outputs; i += lanes)
        put_vector(
            std::min(lanes, tiles * filter.outputs - i),
            transform_output(m + i, m_stride(filter.outputs)),
            [&](std::int64_t l) { return (i + l) % filter.outputs; },
            [&](std::int64_t l) { return (i + l) / filter.outputs; });
    } else {
      for_output_vectors(filter, tiles, m, [&](std::int64_t o, std::int64_t t, const auto& y) {
        put_vector(
            std::min(lanes, filter.outputs - o), y, [&](std::int64_t l) { return o + l; },
            [&](std::int64_t) { return t; });
      });
    }
  });
}

}  // namespace mini::cpu::MINI_ISA::winograd
