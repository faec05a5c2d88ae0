// The loop of an elementwise kernel with any number of operands.
#pragma once

#include <array>
#include <utility>

#include "tensor/strided.h"
#include "tensor/tensor.h"

namespace mini::cpu::MINI_ISA {

// One row. The operands' elements are distinct or the same one, never shifted, so `simd` may hold.
template <class F, class... T>
void map_row(const F& f, std::int64_t length, T*... row) {
#pragma omp simd
  for (std::int64_t i = 0; i < length; ++i) f(row[i]...);
}

// Calls f(a, b, ...) with references to corresponding elements of tensors of T and equal shapes;
// the first is the one whose memory order is followed.
template <class T, class F, class... Rest>
void map(const F& f, const Tensor& first, const Rest&... rest) {
  constexpr std::size_t operands = 1 + sizeof...(rest);
  const StridedLoop<operands> loop(first.shape(), {first.strides(), rest.strides()...});
  const std::array<T*, operands> base{first.data<T>(), rest.template data<T>()...};
  loop.run([&](const auto& offset, const auto& step, std::int64_t length) {
    [&]<std::size_t... k>(std::index_sequence<k...>) {
      if (((step[k] == 1) && ...)) {
        map_row(f, length, (base[k] + offset[k])...);
      } else {
        for (std::int64_t i = 0; i < length; ++i) f(base[k][offset[k] + i * step[k]]...);
      }
    }
    (std::make_index_sequence<operands>{});
  });
}

}  // namespace mini::cpu::MINI_ISA
