// Random numbers by the range. The arithmetic: tensor/draw.h.
#include "tensor/draw.h"

#include <algorithm>

#include "tensor/backend.h"
#include "tensor/parallel.h"

namespace mini::cpu::MINI_ISA {

// Block by block; one at an end of a run is used in part.
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

}  // namespace mini::cpu::MINI_ISA
