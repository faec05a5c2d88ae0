// The gradients of the weights (winograd.h): for each frequency a product over tiles,
//   S_f[input][output] = sum over tiles t of V_f[t][input] Z_f[t][output],   Z = A dY At,
// and at the end dg = Gt S G. Outputs lie in the lanes; where they do not fill a block, the inputs
// do, and S_f is [output][input].
#include <algorithm>
#include <utility>

#include "ops/cpu/gemm.h"
#include "ops/cpu/winograd.h"
#include "ops/cpu/winograd_transforms.h"

namespace mini::cpu::MINI_ISA::winograd {
namespace {

using blocked::block;
using blocked::padded;

// Enough tiles at a time that reading and writing S does not count, few enough that V and Z stay in
// the second-level cache: with 137 inputs and 131 outputs they take 147 KB each.
constexpr std::int64_t chunk_tiles = 64;

bool narrow(std::int64_t outputs) { return outputs < block; }

// S of one frequency is [input][output], or [output][input] where it is narrow.
std::int64_t frequency_size(std::int64_t inputs, std::int64_t outputs) {
  return narrow(outputs) ? outputs * padded(inputs) : inputs * padded(outputs);
}

// Row y of Z, four frequencies, of tiles [first, first + tiles) of a row, for all blocks of the
// image. `dy`: pixel 0 of the row in the first block.
void transform_gradient(const float* dy, int y, const blocked::Layout& layout, std::int64_t first,
                        std::int64_t tiles, float* z, std::int64_t pitch,
                        std::int64_t frequency_stride) {
  for (std::int64_t o = 0; o < layout.blocks * block; o += lanes)
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

// One side of a product over tiles, [tile][channel].
struct Factor {
  const float* data;
  std::int64_t pitch, channels;
};

// S = Vt Z for one frequency, or S += Vt Z unless `first`.
void multiply(const Factor& v, const Factor& z, std::int64_t tiles, bool first, float* s) {
  const std::int64_t none = 0;
  const bool swapped = narrow(z.channels);
  const Factor& rows = swapped ? z : v;
  const Factor& columns = swapped ? v : z;
  const std::int64_t pitch = padded(columns.channels);
  for (std::int64_t p = 0; p < panel_count<float>(columns.channels); ++p) {
    const Panel panel = panel_at<float>(p, columns.channels);
    tile_rows<float>({.a = rows.data,
                      .a_row = 1,
                      .a_step = rows.pitch,
                      .a_offset = &none,
                      .b = columns.data + panel.first,
                      .b_step = columns.pitch,
                      .b_segment = 0,
                      .segments = 1,
                      .depth = tiles,
                      .c = s + panel.first,
                      .c_row = pitch,
                      .last_lanes = panel.last_lanes,
                      .start = first ? nullptr : s + panel.first,
                      .start_row = pitch},
                     rows.channels, panel.vectors);
  }
}

// Gt s along one dimension.
std::array<float, 3> filter_gradient(float s0, float s1, float s2, float s3) {
  return {s0 + 0.5f * (s1 + s2), 0.5f * (s1 - s2), 0.5f * (s1 + s2) + s3};
}

}  // namespace

WeightGradients::WeightGradients(std::span<const std::int64_t> channels,
                                 std::vector<Convolution> convolutions)
    : channels_(channels), convolutions_(std::move(convolutions)) {
  for (const Convolution& c : convolutions_)
    offsets_.push_back(offsets_.back() + 4 * frequency_size(c.inputs, c.outputs));
}

void WeightGradients::row(int y, const float* in, const blocked::Layout& layout, const float* dy,
                          const blocked::Layout& dy_layout, float* sums) const {
  const auto [lead, v_pitch] = InputColumns(channels_);
  const std::int64_t z_pitch = dy_layout.blocks * block;
  // A chunk is a part of a row of tiles, or a few short rows.
  const std::int64_t width = std::min(layout.tile_columns(), chunk_tiles);
  const std::int64_t height = std::min(layout.tile_rows(), chunk_tiles / width);
  // The products read whole vectors, also behind the last inputs of the last tile.
  const Tensor memory = Tensor::empty({4 * height * width * (v_pitch + z_pitch) + block});
  float* const z = memory.data<float>();
  float* const v = z + 4 * height * width * z_pitch + lead;

  for (std::int64_t top = 0; top < layout.tile_rows(); top += height)
    for (std::int64_t left = 0; left < layout.tile_columns(); left += width) {
      const std::int64_t bottom = std::min(top + height, layout.tile_rows());
      const std::int64_t wide = std::min(width, layout.tile_columns() - left);
      const std::int64_t tiles = (bottom - top) * wide;
      for (std::int64_t t = top; t < bottom; ++t) {
        const std::int64_t before = (t - top) * wide;
        transform_input(window(in, layout, channels_, t), y, left, wide, v + before * v_pitch,
                        v_pitch, tiles * v_pitch);
        transform_gradient(dy + dy_layout.at(0, 2 * t) + block, y, dy_layout, left, wide,
                           z + before * z_pitch, z_pitch, tiles * z_pitch);
      }
      for (std::size_t k = 0; k < convolutions_.size(); ++k) {
        const auto& [inputs, outputs, first_block] = convolutions_[k];
        for (std::int64_t x = 0; x < 4; ++x)
          multiply({v + x * tiles * v_pitch, v_pitch, inputs},
                   {z + x * tiles * z_pitch + first_block * block, z_pitch, outputs}, tiles,
                   top == 0 && left == 0, sums + offsets_[k] + x * frequency_size(inputs, outputs));
      }
    }
}

void WeightGradients::unpack(const float* sums, std::size_t k, float* dw) const {
  const auto& [inputs, outputs, first_block] = convolutions_[k];
  const std::int64_t size = frequency_size(inputs, outputs);
  for (std::int64_t o = 0; o < outputs; ++o)
    for (std::int64_t i = 0; i < inputs; ++i, dw += 9) {
      const float* const s =
          sums + offsets_[k] + (narrow(outputs) ? o * padded(inputs) + i : i * padded(outputs) + o);
      const auto at = [&](std::int64_t y, std::int64_t x) { return s[y * row_size() + x * size]; };
      std::array<std::array<float, 3>, 4> columns;  // Gt S
      for (std::size_t x = 0; x < 4; ++x) {
        const auto c = static_cast<std::int64_t>(x);
        columns[x] = filter_gradient(at(0, c), at(1, c), at(2, c), at(3, c));
      }
      for (std::size_t y = 0; y < 3; ++y) {
        const auto row =
            filter_gradient(columns[0][y], columns[1][y], columns[2][y], columns[3][y]);
        std::copy(row.begin(), row.end(), dw + 3 * y);
      }
    }
}

}  // namespace mini::cpu::MINI_ISA::winograd
