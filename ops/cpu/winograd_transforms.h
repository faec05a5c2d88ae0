// The transforms of Winograd's F(2x2, 3x3) (ops/cpu/winograd.h), one vector of channels at a time.
#pragma once

#include <array>

#include "ops/cpu/blocked.h"
#include "ops/cpu/simd.h"
#include "ops/cpu/winograd.h"

namespace mini::cpu::MINI_ISA::winograd {

using Vector = Vec<float>;
inline constexpr std::int64_t lanes = Vector::lanes;

inline Vector operator+(Vector a, Vector b) { return {a.value + b.value}; }
inline Vector operator-(Vector a, Vector b) { return {a.value - b.value}; }
inline Vector operator-(Vector a) { return {-a.value}; }

using Four = std::array<Vector, 4>;
using Two = std::array<Vector, 2>;

// Row y of Bt has two entries: it is d[plus] + d[also] or d[plus] - d[also].
struct InputPair {
  int plus, also;
  bool add;
};
inline constexpr InputPair input_pairs[4] = {
    {0, 2, false}, {1, 2, true}, {2, 1, false}, {1, 3, false}};

inline Four input_transform(Vector d0, Vector d1, Vector d2, Vector d3) {  // Bt d
  return {d0 - d2, d1 + d2, d2 - d1, d1 - d3};
}
inline Two output_transform(Vector m0, Vector m1, Vector m2, Vector m3) {  // At m
  return {m0 + m1 + m2, m1 - m2 - m3};
}
inline Four gradient_transform(Vector y0, Vector y1) {  // A y
  return {y0, y0 + y1, y0 - y1, -y1};
}

// How the channels of some input blocks lie in V: side by side, the first at `lead`, so that the
// whole blocks behind a first one that is not whole are aligned. Transforms write whole blocks, each
// over the excess of the one before, which is why `pitch`, the floats of a tile, may exceed the
// channels by more than what fills the last vector.
struct InputColumns {
  std::int64_t lead, pitch;

  explicit InputColumns(std::span<const std::int64_t> channels) {
    std::int64_t first = lead = (blocked::block - channels[0] % blocked::block) % blocked::block;
    for (const std::int64_t count : channels) first += count;
    pitch = blocked::padded(first - channels.back() + blocked::block);
  }
  static std::int64_t largest_pitch(std::int64_t inputs) {
    return blocked::padded(inputs + 2 * blocked::block - 2);
  }
};

// Row y of V = Bt d B, four frequencies, of `tiles` tiles from tile `first` of a row on:
// v[x·frequency_stride + tile·pitch + c], v being `lead` floats into aligned memory. One row at a time, because four frequencies of some tiles
// fit in the first-level cache together with the products that read them next.
void transform_input(const Window& in, int y, std::int64_t first, std::int64_t tiles, float* v,
                     std::int64_t pitch, std::int64_t frequency_stride);

}  // namespace mini::cpu::MINI_ISA::winograd
