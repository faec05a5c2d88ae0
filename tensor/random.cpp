// Streams of random numbers. Their arithmetic is in tensor/draw.h.
#include "tensor/random.h"

#include <algorithm>

#include "tensor/backend.h"
#include "tensor/draw.h"
#include "tensor/parallel.h"

namespace mini {

std::array<std::uint32_t, 4> Generator::next() {
  const auto words = block_at(seed, offset);
  ++offset;
  return words;
}

double Generator::next_uniform() {
  const auto words = next();
  return to_unit(words[0], words[1]);
}

std::int64_t Generator::next_below(std::int64_t limit) {
  check(limit > 0, "random: the limit must be positive, got ", limit);
  // The first `rejected` values are drawn again; otherwise small results would be more likely.
  const auto range = static_cast<std::uint64_t>(limit);
  const std::uint64_t rejected = (0 - range) % range;  // 2^64 mod range
  while (true) {
    const auto words = next();
    const std::uint64_t bits = (std::uint64_t{words[0]} << 32) | words[1];
    if (bits >= rejected) return static_cast<std::int64_t>(bits % range);
  }
}

Generator Generator::fork(std::uint64_t index) const {
  // The upper half of the counter is 1 here and 0 in every stream, so fork never uses a block that
  // a stream draws.
  const auto words =
      philox4x32({static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32),
                  static_cast<std::uint32_t>(offset), 1},
                 {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)});
  return {(std::uint64_t{words[0]} << 32) | words[1], 0};
}

namespace cpu {

// Draws whole blocks; of the first and last block of a run, only some numbers may be used.
void draw(Distribution distribution, const Generator& generator, const DrawRuns& runs,
          const Tensor& out) {
  visit_real(out.dtype(), "random", [&](auto type) {
    using T = typename decltype(type)::type;
    constexpr std::int64_t per_block = numbers_per_block<T>;
    visit(distribution, [&]<Distribution which>() {
      for (std::int64_t run = 0; run < runs.count; ++run) {
        T* const values = out.data<T>() + run * runs.length;
        const std::int64_t start = run * runs.distance + runs.start, end = start + runs.length;
        const std::int64_t first_block = start / per_block;
        const std::int64_t blocks = (end + per_block - 1) / per_block - first_block;
        parallel_for(blocks, 4096, [&](std::int64_t from, std::int64_t to) {
          for (std::int64_t b = first_block + from; b < first_block + to; ++b) {
            T numbers[per_block];
            draw_block<which>(generator.seed, generator.offset + static_cast<std::uint64_t>(b),
                              numbers);
            const std::int64_t first = b * per_block;
            for (std::int64_t i = std::max(first, start); i < std::min(first + per_block, end); ++i)
              values[i - start] = numbers[i - first];
          }
        });
      }
    });
  });
}

}  // namespace cpu

namespace ops {
namespace {

DrawRuns runs_of(const Shape& shape, const std::optional<DrawPart>& part, const char* op) {
  DrawRuns runs{.length = shape.numel(), .distance = shape.numel()};
  if (!part) return runs;
  const int dim = normalize_dim(part->dim, shape.rank(), op);
  check(part->start >= 0 && part->length >= 0 && part->start <= shape[dim] - part->length, op,
        ": [", part->start, ", ", part->start + part->length, ") is outside dimension ", dim,
        " of ", shape);
  std::int64_t inner = 1;
  for (int d = 0; d < dim; ++d) runs.count *= shape[d];
  for (int d = dim + 1; d < shape.rank(); ++d) inner *= shape[d];
  runs.length = part->length * inner;
  runs.distance = shape[dim] * inner;
  runs.start = part->start * inner;
  return runs;
}

Tensor draw(Distribution distribution, Generator& generator, const Shape& shape, DType dtype,
            const std::optional<DrawPart>& part, Device device, const char* op) {
  visit_real(dtype, op, [](auto) {});
  const DrawRuns runs = runs_of(shape, part, op);
  Shape drawn = shape;
  if (part) drawn[normalize_dim(part->dim, shape.rank(), op)] = part->length;
  Tensor result = Tensor::empty(drawn, dtype, device);
  if (result.numel() > 0) MINI_DISPATCH(device, draw, distribution, generator, runs, result);
  const std::int64_t per_block =
      dtype == DType::float32 ? numbers_per_block<float> : numbers_per_block<double>;
  generator.offset += static_cast<std::uint64_t>((shape.numel() + per_block - 1) / per_block);
  return result;
}

}  // namespace

Tensor uniform(Generator& generator, const Shape& shape, DType dtype, std::optional<DrawPart> part,
               Device device) {
  return draw(Distribution::uniform, generator, shape, dtype, part, device, "uniform");
}

Tensor normal(Generator& generator, const Shape& shape, DType dtype, std::optional<DrawPart> part,
              Device device) {
  return draw(Distribution::normal, generator, shape, dtype, part, device, "normal");
}

Tensor exponential(Generator& generator, const Shape& shape, DType dtype,
                   std::optional<DrawPart> part, Device device) {
  return draw(Distribution::exponential, generator, shape, dtype, part, device, "exponential");
}

}  // namespace ops
}  // namespace mini
