// As many multiply-adds as the processor can do: no memory, no waiting.
#include "ops/cpu/simd.h"
#include "ops/kernels.h"

namespace mini::cpu::MINI_ISA {

std::int64_t multiply_adds(std::int64_t rounds, float& total) {
  using V = Vec<float>;
  // A processor starts two a cycle and takes four or five cycles for one; with the factors these
  // sums fit 16 registers.
  constexpr int sums = 12;
  V sum[sums];
#pragma GCC unroll 12
  for (int i = 0; i < sums; ++i) sum[i] = V::all(static_cast<float>(i));
  V a = V::all(1e-3f), b = V::all(1e-3f);
  for (std::int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 12
    for (int i = 0; i < sums; ++i) {
      keep_in_register(a);  // for all the compiler knows another one: no product is like the last
      sum[i].add_product(a, b);
    }
  }
  total = 0;
  for (const V& s : sum) total += s.sum();
  return rounds * sums * V::lanes;
}

}  // namespace mini::cpu::MINI_ISA
