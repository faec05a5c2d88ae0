// The gradient of the weights (winograd.h): for each frequency a product over tiles,
//   S_f[input][output] = sum over tiles t of V_f[t][input] Z_f[t][output],   Z = A dY At,
// and at the end dg = Gt S G. Outputs lie in the lanes; where they do not fill a block, the inputs
// do, and S_f is [output][input].
#include <algorithm>

#include "ops/cpu/gemm.h"
#include "ops/cpu/winograd.h"
#include "ops/cpu/winograd_transforms.h"

namespace mini::cpu::winograd {
namespace {

using blocked::block;
using blocked::padded;

// Enough tiles at a time that reading and writing S does not count, few enough that V and Z stay in
// the second-level cache.
constexpr std::int64_t chunk_tiles = 32;

bool narrow(std::int64_t outputs) { return outputs < block; }

// Row y of Z, four frequencies, of tiles [first, first + tiles) of a row; `dy`: pixel 0 of the row
// in the first block.
void transform_gradient(const float* dy, int y, const blocked::Layout& layout, std::int64_t first,
                        std::int64_t tiles, std::int64_t outputs, float* z,
                        std::int64_t frequency_stride) {
  const std::int64_t pitch = padded(outputs);
  for (std::int64_t o = 0; o < pitch; o += lanes)
    for (std::int64_t t = 0; t < tiles; ++t) {
      const float* const from =
          dy + o / block * layout.plane() + 2 * (first + t) * block + o % block;
      const auto column = [&](std::int64_t x) {  // A dY
        const Vector above = Vector::load(from + x * block);
        const Vector below = Vector::load(from + layout.row() + x * block);
        return gradient_transform(above, below)[static_cast<std::size_t>(y)];
      };
      float* to = z + t * pitch + o;
      for (const Vector value : gradient_transform(column(0), column(1))) {
        value.store(to);
        to += frequency_stride;
      }
    }
}

// S_f += V_fᵀ Z_f, or = where `first`.
void multiply(const float* v, std::int64_t v_pitch, std::int64_t inputs, const float* z,
              std::int64_t outputs, std::int64_t tiles, bool first, float* s) {
  const std::int64_t none = 0, z_pitch = padded(outputs);
  const bool swapped = narrow(outputs);
  const std::int64_t rows = swapped ? outputs : inputs;
  const std::int64_t columns = swapped ? inputs : outputs, s_pitch = padded(columns);
  for (std::int64_t p = 0; p < panel_count<float>(columns); ++p) {
    const Panel panel = panel_at<float>(p, columns);
    tile_rows<float>({.a = swapped ? z : v,
                      .a_row = 1,
                      .a_step = swapped ? z_pitch : v_pitch,
                      .a_offset = &none,
                      .b = (swapped ? v : z) + panel.first,
                      .b_step = swapped ? v_pitch : z_pitch,
                      .b_segment = 0,
                      .segments = 1,
                      .depth = tiles,
                      .c = s + panel.first,
                      .c_row = s_pitch,
                      .last_lanes = panel.last_lanes,
                      .start = first ? nullptr : s + panel.first,
                      .start_row = s_pitch},
                     rows, panel.vectors);
  }
}

// Gt s along one dimension.
std::array<float, 3> filter_gradient(float s0, float s1, float s2, float s3) {
  return {s0 + 0.5f * (s1 + s2), 0.5f * (s1 - s2), 0.5f * (s1 + s2) + s3};
}

}  // namespace

std::int64_t gradient_size(std::int64_t inputs, std::int64_t outputs) {
  return frequencies * (narrow(outputs) ? outputs * padded(inputs) : inputs * padded(outputs));
}

void add_weight_gradient(const float* in, std::span<const std::int64_t> channels, const float* dy,
                         std::int64_t outputs, const blocked::Layout& layout, float* sums) {
  std::int64_t inputs = 0;
  for (const std::int64_t count : channels) inputs += count;
  const std::int64_t size = gradient_size(inputs, outputs), per_frequency = size / frequencies;
  const auto [lead, v_pitch] = InputColumns(channels);
  const std::int64_t z_pitch = padded(outputs);
  const Tensor memory = Tensor::empty({size + 4 * chunk_tiles * (v_pitch + z_pitch)});
  float* const s = memory.data<float>();
  float* const z = s + size;
  float* const v = z + 4 * chunk_tiles * z_pitch + lead;

  // A chunk is a part of a row of tiles, or a few short rows.
  const std::int64_t width = std::min(layout.tile_columns(), chunk_tiles);
  const std::int64_t height = chunk_tiles / width;
  for (std::int64_t top = 0; top < layout.tile_rows(); top += height)
    for (std::int64_t left = 0; left < layout.tile_columns(); left += width) {
      const std::int64_t bottom = std::min(top + height, layout.tile_rows());
      const std::int64_t wide = std::min(width, layout.tile_columns() - left);
      const std::int64_t tiles = (bottom - top) * wide;
      for (int y = 0; y < 4; ++y) {
        for (std::int64_t t = top; t < bottom; ++t) {
          const std::int64_t before = (t - top) * wide;
          transform_input(window(in, layout, channels, t), y, left, wide, v + before * v_pitch,
                          v_pitch, tiles * v_pitch);
          transform_gradient(dy + layout.at(0, 2 * t) + block, y, layout, left, wide, outputs,
                             z + before * z_pitch, tiles * z_pitch);
        }
        for (std::int64_t x = 0; x < 4; ++x)
          multiply(v + x * tiles * v_pitch, v_pitch, inputs, z + x * tiles * z_pitch, outputs,
                   tiles, top == 0 && left == 0, s + (4 * y + x) * per_frequency);
      }
    }
  for (std::int64_t i = 0; i < size; ++i) sums[i] += s[i];
}

void unpack_weight_gradient(const float* sums, std::int64_t inputs, std::int64_t outputs,
                            std::int64_t stride, float* dw) {
  const std::int64_t per_frequency = gradient_size(inputs, outputs) / frequencies;
  for (std::int64_t o = 0; o < outputs; ++o)
    for (std::int64_t i = 0; i < inputs; ++i) {
      const float* const s =
          sums + (narrow(outputs) ? o * padded(inputs) + i : i * padded(outputs) + o);
      const auto at = [&](std::int64_t y, std::int64_t x) {
        return s[(4 * y + x) * per_frequency];
      };
      std::array<std::array<float, 3>, 4> columns;  // Gt S
      for (std::size_t x = 0; x < 4; ++x) {
        const auto c = static_cast<std::int64_t>(x);
        columns[x] = filter_gradient(at(0, c), at(1, c), at(2, c), at(3, c));
      }
      for (std::size_t y = 0; y < 3; ++y) {
        const auto row =
            filter_gradient(columns[0][y], columns[1][y], columns[2][y], columns[3][y]);
        std::copy(row.begin(), row.end(),
                  dw + o * stride + 9 * i + 3 * static_cast<std::int64_t>(y));
      }
    }
}

}  // namespace mini::cpu::winograd
