#include "ops/peak.h"

#include "ops/kernels.h"

namespace mini::ops {

std::int64_t multiply_adds(std::int64_t rounds) {
  float total = 0;
  const std::int64_t count = MINI_CPU_KERNEL(multiply_adds)(rounds, total);
  check(total > 0, "multiply_adds: the sums are wrong");  // and so nothing was optimised away
  return count;
}

}  // namespace mini::ops
