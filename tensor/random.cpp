#include "tensor/random.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "tensor/parallel.h"

namespace mini {
namespace {

std::array<std::uint32_t, 4> block_at(const Generator& generator, std::uint64_t block) {
  const std::uint64_t position = generator.offset + block;
  return philox4x32(
      {static_cast<std::uint32_t>(position), static_cast<std::uint32_t>(position >> 32), 0, 0},
      {static_cast<std::uint32_t>(generator.seed),
       static_cast<std::uint32_t>(generator.seed >> 32)});
}

double to_unit(std::uint32_t high, std::uint32_t low) {
  const std::uint64_t bits = (std::uint64_t{high} << 32) | low;
  return static_cast<double>(bits >> 11) * 0x1p-53;
}

// Four uniforms in [0,1) a block as float, two as double.
template <class T>
constexpr std::int64_t per_block = std::is_same_v<T, float> ? 4 : 2;

template <class T>
T unit(const std::array<std::uint32_t, 4>& words, std::size_t slot) {
  if constexpr (std::is_same_v<T, float>)
    return static_cast<float>(words[slot] >> 8) * 0x1p-24f;
  else
    return to_unit(words[2 * slot], words[2 * slot + 1]);
}

// How a part of a tensor lies in its row-major order: runs of elements at equal distances.
struct Runs {
  std::int64_t count = 1, length, distance, start = 0;

  Runs(const Shape& shape, std::int64_t numel, const std::optional<ops::DrawPart>& part)
      : length(numel), distance(numel) {
    if (!part) return;
    const int dim = normalize_dim(part->dim, shape.rank(), "random");
    check(part->start >= 0 && part->length >= 0 && part->start <= shape[dim] - part->length,
          "random: [", part->start, ", ", part->start + part->length, ") is outside dimension ",
          dim, " of ", shape);
    std::int64_t inner = 1;
    for (int d = 0; d < dim; ++d) count *= shape[d];
    for (int d = dim + 1; d < shape.rank(); ++d) inner *= shape[d];
    length = part->length * inner;
    distance = shape[dim] * inner;
    start = part->start * inner;
  }
};

// Fills a tensor block by block: values(words) returns the per_block values of one block. A block
// at an end of a run is used in part.
template <class Values>
Tensor draw(Generator& generator, const Shape& shape, DType dtype,
            const std::optional<ops::DrawPart>& part, const char* op, const Values& values) {
  Shape drawn = shape;
  if (part) drawn[normalize_dim(part->dim, shape.rank(), op)] = part->length;
  std::int64_t numel = 1;
  for (int d = 0; d < shape.rank(); ++d) numel *= shape[d];
  const Runs runs(shape, numel, part);
  Tensor result = Tensor::empty(drawn, dtype);
  visit_real(dtype, op, [&](auto type) {
    using T = typename decltype(type)::type;
    for (std::int64_t run = 0; run < runs.count; ++run) {
      T* const out = result.data<T>() + run * runs.length;
      const std::int64_t start = run * runs.distance + runs.start, end = start + runs.length;
      const std::int64_t first_block = start / per_block<T>;
      const std::int64_t blocks = (end + per_block<T> - 1) / per_block<T> - first_block;
      parallel_for(blocks, 4096, [&](std::int64_t from, std::int64_t to) {
        for (std::int64_t b = first_block + from; b < first_block + to; ++b) {
          const auto words = block_at(generator, static_cast<std::uint64_t>(b));
          std::array<T, per_block<T>> uniforms{};
          for (std::size_t s = 0; s < uniforms.size(); ++s) uniforms[s] = unit<T>(words, s);
          values(uniforms);
          const std::int64_t first = b * per_block<T>;
          for (std::int64_t i = std::max(first, start); i < std::min(first + per_block<T>, end);
               ++i)
            out[i - start] = uniforms[static_cast<std::size_t>(i - first)];
        }
      });
    }
    generator.offset += static_cast<std::uint64_t>((numel + per_block<T> - 1) / per_block<T>);
  });
  return result;
}

}  // namespace

std::array<std::uint32_t, 4> Generator::next() {
  const auto words = block_at(*this, 0);
  ++offset;
  return words;
}

double Generator::next_uniform() {
  const auto words = next();
  return to_unit(words[0], words[1]);
}

std::int64_t Generator::next_below(std::int64_t limit) {
  check(limit > 0, "random: the limit must be positive, got ", limit);
  // Numbers above the largest multiple of `limit` are drawn again, or small results would be
  // likelier.
  const auto range = static_cast<std::uint64_t>(limit);
  const std::uint64_t rejected = (0 - range) % range;  // 2^64 mod range
  while (true) {
    const auto words = next();
    const std::uint64_t bits = (std::uint64_t{words[0]} << 32) | words[1];
    if (bits >= rejected) return static_cast<std::int64_t>(bits % range);
  }
}

Generator Generator::fork(std::uint64_t index) const {
  // The upper half of the counter is 1 here and 0 in every stream, so seeds cannot coincide with
  // numbers that were drawn.
  const auto words =
      philox4x32({static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32),
                  static_cast<std::uint32_t>(offset), 1},
                 {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)});
  return {(std::uint64_t{words[0]} << 32) | words[1], 0};
}

namespace ops {

Tensor uniform(Generator& generator, const Shape& shape, DType dtype,
               std::optional<DrawPart> part) {
  return draw(generator, shape, dtype, part, "uniform", [](auto&) {});
}

Tensor normal(Generator& generator, const Shape& shape, DType dtype, std::optional<DrawPart> part) {
  return draw(generator, shape, dtype, part, "normal", [](auto& u) {
    // Box-Muller; 1-u lies in (0,1], so the logarithm is finite.
    using T = std::decay_t<decltype(u[0])>;
    for (std::size_t i = 0; i < u.size(); i += 2) {
      const T radius = std::sqrt(T(-2) * std::log(T(1) - u[i]));
      const T angle = T(2) * std::numbers::pi_v<T> * u[i + 1];
      u[i] = radius * std::cos(angle);
      u[i + 1] = radius * std::sin(angle);
    }
  });
}

Tensor exponential(Generator& generator, const Shape& shape, DType dtype,
                   std::optional<DrawPart> part) {
  return draw(generator, shape, dtype, part, "exponential", [](auto& u) {
    using T = std::decay_t<decltype(u[0])>;
    // u = 0 would give 0, whose logarithm the Gumbel trick could not take: half a step up. (Not
    // everywhere: near 1 half a step rounds to 1, and that gives infinity.)
    constexpr T half_step = std::is_same_v<T, float> ? T(0x1p-25) : T(0x1p-54);
    for (T& value : u) value = -std::log1p(-std::max(value, half_step));
  });
}

}  // namespace ops
}  // namespace mini
