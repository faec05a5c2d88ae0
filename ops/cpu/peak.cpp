// The peak of the processor: multiply-adds that wait neither for memory nor for each other.
#include "ops/cpu/simd.h"
#include "ops/kernels.h"

namespace mini::cpu::MINI_ISA {

std::int64_t multiply_adds(std::int64_t rounds, float& total) {
  using V = Vec<float>;
  // Processors start two multiply-adds in a cycle, and each takes four or five cycles. The sums and
  // both factors fit in 16 registers.
  constexpr int sums = 12;
  V sum[sums];
#pragma GCC unroll 12
  for (int i = 0; i < sums; ++i) sum[i] = V::all(static_cast<float>(i));
  V a = V::all(1e-3f), b = V::all(1e-3f);
  for (std::int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 12
    for (int i = 0; i < sums; ++i) {
      keep_in_register(a);  // the compiler must take a as changed and compute each product
      sum[i].add_product(a, b);
    }
  }
  total = 0;
  for (const V& s : sum) total += s.sum();
  return rounds * sums * V::lanes;
}

}  // namespace mini::cpu::MINI_ISA
