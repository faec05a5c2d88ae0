// Elementwise loops: functors.h does the arithmetic, StridedLoop walks the operands, and rows whose
// steps are all 1 are what the compiler turns into vector code.
#include "ops/functors.h"
#include "ops/kernels.h"
#include "tensor/strided.h"

namespace mini::cpu::MINI_ISA {
namespace {

template <class T, class F>
void map1(const Tensor& x, const Tensor& y, const F& f) {
  const StridedLoop<2> loop(y.shape(), {y.strides(), x.strides()});
  T* const out = y.data<T>();
  const T* const in = x.data<T>();
  loop.run([&](const auto& offset, const auto& step, std::int64_t length) {
    T* o = out + offset[0];
    const T* i = in + offset[1];
    if (step[0] == 1 && step[1] == 1) {
      for (std::int64_t k = 0; k < length; ++k) o[k] = f(i[k]);
    } else {
      for (std::int64_t k = 0; k < length; ++k) o[k * step[0]] = f(i[k * step[1]]);
    }
  });
}

template <class T, class F>
void map2(const Tensor& a, const Tensor& b, const Tensor& y, const F& f) {
  const StridedLoop<3> loop(y.shape(), {y.strides(), a.strides(), b.strides()});
  T* const out = y.data<T>();
  const T* const in0 = a.data<T>();
  const T* const in1 = b.data<T>();
  loop.run([&](const auto& offset, const auto& step, std::int64_t length) {
    T* o = out + offset[0];
    const T* i0 = in0 + offset[1];
    const T* i1 = in1 + offset[2];
    if (step[0] == 1 && step[1] == 1 && step[2] == 1) {
      for (std::int64_t k = 0; k < length; ++k) o[k] = f(i0[k], i1[k]);
    } else if (step[0] == 1 && step[1] == 1 && step[2] == 0) {
      const T constant = *i1;
      for (std::int64_t k = 0; k < length; ++k) o[k] = f(i0[k], constant);
    } else {
      for (std::int64_t k = 0; k < length; ++k)
        o[k * step[0]] = f(i0[k * step[1]], i1[k * step[2]]);
    }
  });
}

}  // namespace

void unary(Unary op, const Tensor& x, const Tensor& y, double a, double b) {
  visit_real(x.dtype(), "unary", [&](auto type) {
    using T = typename decltype(type)::type;
    functors::visit(op, [&]<Unary which>() { map1<T>(x, y, functors::UnaryOp<which>{a, b}); });
  });
}

void binary(Binary op, const Tensor& a, const Tensor& b, const Tensor& y) {
  visit_real(y.dtype(), "binary", [&](auto type) {
    using T = typename decltype(type)::type;
    functors::visit(op, [&]<Binary which>() { map2<T>(a, b, y, functors::BinaryOp<which>{}); });
  });
}

void where(const Tensor& condition, const Tensor& a, const Tensor& b, const Tensor& y) {
  const StridedLoop<4> loop(y.shape(),
                            {y.strides(), condition.strides(), a.strides(), b.strides()});
  visit_real(y.dtype(), "where", [&](auto type) {
    using T = typename decltype(type)::type;
    T* const out = y.data<T>();
    const T* const chooser = condition.data<T>();
    const T* const yes = a.data<T>();
    const T* const no = b.data<T>();
    loop.run([&](const auto& offset, const auto& step, std::int64_t length) {
      for (std::int64_t k = 0; k < length; ++k)
        out[offset[0] + k * step[0]] = chooser[offset[1] + k * step[1]] != T(0)
                                           ? yes[offset[2] + k * step[2]]
                                           : no[offset[3] + k * step[3]];
    });
  });
}

void add_scaled(const Tensor& x, double scale, const Tensor& y) {
  visit_real(y.dtype(), "add_scaled", [&](auto type) {
    using T = typename decltype(type)::type;
    const T factor = static_cast<T>(scale);
    map2<T>(y, x, y, [factor](T sum, T term) { return sum + factor * term; });
  });
}

void add_pairs(std::span<const Addition> pairs) {
  for (const Addition& pair : pairs) add_scaled(pair.term, 1, pair.sum);
}

}  // namespace mini::cpu::MINI_ISA
