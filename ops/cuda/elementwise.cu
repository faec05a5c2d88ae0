// Elementwise ops with the arithmetic of ops/functors.h. A kernel gets the op at run time: all
// threads take the same branch, and memory bounds the speed.
#include "ops/cuda/launch.cuh"
#include "ops/functors.h"
#include "ops/kernels.h"

namespace mini::cuda {
namespace {

template <class T>
struct ApplyUnary {
  Unary op;
  double a, b;
  __device__ void operator()(T& y, const T& x) const {
    functors::visit(op, [&]<Unary which>() { y = functors::UnaryOp<which>{a, b}(x); });
  }
};

template <class T>
struct ApplyBinary {
  Binary op;
  __device__ void operator()(T& y, const T& a, const T& b) const {
    functors::visit(op, [&]<Binary which>() { y = functors::BinaryOp<which>{}(a, b); });
  }
};

template <class T>
struct Choose {
  __device__ void operator()(T& y, const T& condition, const T& a, const T& b) const {
    y = condition != T(0) ? a : b;
  }
};

template <class T>
struct AddScaled {
  T scale;
  __device__ void operator()(T& y, const T& sum, const T& x) const { y = sum + scale * x; }
};

}  // namespace

void unary(Unary op, const Tensor& x, const Tensor& y, double a, double b) {
  visit_floating(x.dtype(), "unary", [&](auto type) {
    using T = typename decltype(type)::type;
    map<1, T, T>(ApplyUnary<Wide<T>>{op, a, b}, y, x);
  });
}

void binary(Binary op, const Tensor& a, const Tensor& b, const Tensor& y) {
  visit_floating(y.dtype(), "binary", [&](auto type) {
    using T = typename decltype(type)::type;
    map<1, T, T, T>(ApplyBinary<Wide<T>>{op}, y, a, b);
  });
}

void where(const Tensor& condition, const Tensor& a, const Tensor& b, const Tensor& y) {
  visit_floating(y.dtype(), "where", [&](auto type) {
    using T = typename decltype(type)::type;
    map<1, T, T, T, T>(Choose<Wide<T>>{}, y, condition, a, b);
  });
}

void add_scaled(const Tensor& x, double scale, const Tensor& y) {
  visit_floating(y.dtype(), "add_scaled", [&](auto type) {
    using T = typename decltype(type)::type;
    map<1, T, T, T>(AddScaled<Wide<T>>{static_cast<Wide<T>>(scale)}, y, y, x);
  });
}

}  // namespace mini::cuda
