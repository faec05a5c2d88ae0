// copy and fill: the only two loops over values that tensor/ itself needs.
#include <algorithm>

#include "tensor/backend.h"
#include "tensor/convert.h"
#include "tensor/strided.h"

namespace mini::cpu::MINI_ISA {

void copy(const Tensor& from, const Tensor& to) {
  const StridedLoop<2> loop(to.shape(), {to.strides(), from.strides()});
  visit(to.dtype(), [&](auto to_type) {
    visit(from.dtype(), [&](auto from_type) {
      using To = typename decltype(to_type)::type;
      using From = typename decltype(from_type)::type;
      To* const out = to.data<To>();
      const From* const in = from.data<From>();
      loop.run([&](const auto& offset, const auto& step, std::int64_t length) {
        To* o = out + offset[0];
        const From* i = in + offset[1];
        if constexpr (std::is_same_v<To, From>) {
          if (step[0] == 1 && step[1] == 1) {
            std::copy_n(i, length, o);
            return;
          }
        }
        for (std::int64_t k = 0; k < length; ++k) o[k * step[0]] = convert<To>(i[k * step[1]]);
      });
    });
  });
}

void fill(const Tensor& x, double value) {
  const StridedLoop<1> loop(x.shape(), {x.strides()});
  visit(x.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    T* const data = x.data<T>();
    const T element = convert<T>(value);
    loop.run([&](const auto& offset, const auto& step, std::int64_t length) {
      T* o = data + offset[0];
      for (std::int64_t k = 0; k < length; ++k) o[k * step[0]] = element;
    });
  });
}

}  // namespace mini::cpu::MINI_ISA
