// Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as
// 1, 2, 3", SC 2011). Element i of a stream depends on (seed, offset, i) alone, so the numbers are
// the same at any thread count, on any device, and a stream is saved as two integers.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "tensor/tensor.h"

namespace mini {

// One block of Philox: a 128-bit counter and a 64-bit key give 128 random bits.
constexpr std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                                  std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = 0xD2511F53ull * counter[0];
    const std::uint64_t p1 = 0xCD9E8D57ull * counter[2];
    counter = {
        static_cast<std::uint32_t>(p1 >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(p1),
        static_cast<std::uint32_t>(p0 >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(p0)};
    key[0] += 0x9E3779B9u;
    key[1] += 0xBB67AE85u;
  }
  return counter;
}

// A stream of random numbers. Its state is its two public members.
struct Generator {
  std::uint64_t seed = 0;
  std::uint64_t offset = 0;  // number of blocks drawn so far

  // 128 random bits; advances the stream.
  std::array<std::uint32_t, 4> next();
  double next_uniform();                        // [0, 1), 53 bits
  std::int64_t next_below(std::int64_t limit);  // 0 .. limit-1, without bias

  // An independent stream for item `index`; this stream does not advance.
  Generator fork(std::uint64_t index) const;

  bool operator==(const Generator&) const = default;
};

enum class Distribution { uniform, normal, exponential };

// How a part of a tensor lies in row-major order: `count` runs of `length` elements. The first
// begins at `start`, and each begins `distance` elements after the one before.
struct DrawRuns {
  std::int64_t count = 1, length = 0, distance = 0, start = 0;
};

namespace ops {

// The part of a tensor with indices [start, start + length) along dimension `dim`.
struct DrawPart {
  int dim;
  std::int64_t start, length;
};

// Tensors of float32 or float64 random numbers. The numbers are the same on every device; normal
// and exponential ones agree up to rounding. Each call advances the generator past the numbers of
// `shape`. Given a part, it makes and returns only those elements, with the values that they have
// in the whole; the generator still advances past the whole, so that every part can be drawn from a
// copy of one generator.
Tensor uniform(Generator& generator, const Shape& shape, DType dtype = DType::float32,
               std::optional<DrawPart> part = {}, Device device = {});  // [0, 1)
Tensor normal(Generator& generator, const Shape& shape, DType dtype = DType::float32,
              std::optional<DrawPart> part = {}, Device device = {});  // N(0, 1)
Tensor exponential(Generator& generator, const Shape& shape, DType dtype = DType::float32,
                   std::optional<DrawPart> part = {}, Device device = {});  // > 0

}  // namespace ops
}  // namespace mini
