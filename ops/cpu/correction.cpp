#include "ops/functors_correction.h"
#include "ops/kernels.h"
#include "tensor/parallel.h"

namespace mini::cpu::MINI_ISA {
namespace {

// Calls body(block, begin, end) for each block of `count` elements.
template <class Body>
void for_blocks(std::int64_t count, const Body& body) {
  const std::int64_t blocks = (count + correction_block - 1) / correction_block;
  parallel_for(blocks, 16, [&](std::int64_t from, std::int64_t to) {
    for (std::int64_t b = from; b < to; ++b)
      body(b, b * correction_block, std::min(count, (b + 1) * correction_block));
  });
}

}  // namespace

void correction_codes(const Tensor& x, const Tensor& estimate, const Tensor& codes,
                      const Tensor& starts) {
  auto* code = codes.data<std::uint8_t>();
  auto* start = starts.data<std::int64_t>();
  start[0] = 0;
  visit_real(x.dtype(), "correction", [&](auto type) {
    using T = typename decltype(type)::type;
    const T *true_value = x.data<T>(), *guess = estimate.data<T>();
    for_blocks(x.numel(), [&](std::int64_t b, std::int64_t begin, std::int64_t end) {
      const functors::CorrectionCode code_of;
      std::int64_t aside = 0;
#pragma omp simd reduction(+ : aside)
      for (std::int64_t i = begin; i < end; ++i) {
        code[i] = code_of(true_value[i], guess[i]);
        aside += code[i] == 0;
      }
      start[b + 1] = aside;
    });
  });
  for (std::int64_t b = 1; b < starts.numel(); ++b) start[b] += start[b - 1];
}

void correction_aside(const Tensor& x, const Tensor& codes, const Tensor& starts,
                      const Tensor& aside) {
  const auto* code = codes.data<std::uint8_t>();
  visit_real(x.dtype(), "correction", [&](auto type) {
    using T = typename decltype(type)::type;
    const T* value = x.data<T>();
    for_blocks(x.numel(), [&](std::int64_t b, std::int64_t begin, std::int64_t end) {
      T* kept = aside.data<T>() + starts.data<std::int64_t>()[b];
      for (std::int64_t i = begin; i < end; ++i)
        if (code[i] == 0) *kept++ = value[i];
    });
  });
}

void correct(const Tensor& estimate, const Tensor& codes, const Tensor& starts,
             const Tensor& aside) {
  const auto* code = codes.data<std::uint8_t>();
  const auto* start = starts.data<std::int64_t>();
  visit_real(estimate.dtype(), "corrected", [&](auto type) {
    using T = typename decltype(type)::type;
    T* value = estimate.data<T>();
    for_blocks(estimate.numel(), [&](std::int64_t b, std::int64_t begin, std::int64_t end) {
      const functors::Correct corrected;
      for (std::int64_t i = begin; i < end; ++i) value[i] = corrected(value[i], code[i]);
      if (start[b] == start[b + 1]) return;
      const T* kept = aside.data<T>() + start[b];
      for (std::int64_t i = begin; i < end; ++i)
        if (code[i] == 0) value[i] = *kept++;
    });
  });
}

}  // namespace mini::cpu::MINI_ISA
