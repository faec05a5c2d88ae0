// Streams of random numbers. The arithmetic: tensor/draw.h; the loop: tensor/cpu/draw.cpp.
#include "tensor/random.h"

#include "tensor/backend.h"
#include "tensor/draw.h"

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
