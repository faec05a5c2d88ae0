// The formulas of all elementwise ops, for host and device. The CPU's loops and the CUDA kernels
// call the same functors, so tests on either cover the formulas.
#pragma once

#include <cmath>

#include "ops/math.h"
#include "ops/params.h"

namespace mini::functors {

template <class T>
MINI_HOST_DEVICE inline T sigmoid(T x) {
  // The argument of exp is never positive, so it cannot overflow.
  const T e = math::exp(-std::abs(x));
  return (x >= T(0) ? T(1) : e) / (T(1) + e);
}

template <Unary op>
struct UnaryOp {
  double a, b;
  template <class T>
  MINI_HOST_DEVICE T operator()(T x) const {
    if constexpr (op == Unary::neg)
      return -x;
    else if constexpr (op == Unary::exp)
      return math::exp(x);
    else if constexpr (op == Unary::log)
      return std::log(x);
    else if constexpr (op == Unary::sin)
      return std::sin(x);
    else if constexpr (op == Unary::cos)
      return std::cos(x);
    else if constexpr (op == Unary::sqrt)
      return std::sqrt(x);
    else if constexpr (op == Unary::abs)
      return std::abs(x);
    else if constexpr (op == Unary::sign)
      return T(x > T(0)) - T(x < T(0));
    else if constexpr (op == Unary::square)
      return x * x;
    else if constexpr (op == Unary::reciprocal)
      return T(1) / x;
    else if constexpr (op == Unary::sigmoid)
      return functors::sigmoid(x);
    else if constexpr (op == Unary::tanh)
      return std::tanh(x);
    else if constexpr (op == Unary::atan)
      return std::atan(x);
    else if constexpr (op == Unary::relu)
      return x > T(0) || std::isnan(x) ? x : T(0);
    else if constexpr (op == Unary::softplus)
      return std::log1p(math::exp(-std::abs(x))) + (x > T(0) ? x : T(0));
    else if constexpr (op == Unary::leaky_relu)
      return x > T(0) ? x : x * T(a);
    else if constexpr (op == Unary::clamp)
      return x < T(a) ? T(a) : x > T(b) ? T(b) : x;
    else if constexpr (op == Unary::pow)
      return std::pow(x, T(a));
    else if constexpr (op == Unary::affine)
      return T(a) * x + T(b);
    else if constexpr (op == Unary::step)
      return T(x > T(0));
    else if constexpr (op == Unary::leaky_step)
      return x > T(0) ? T(1) : T(a);
    else if constexpr (op == Unary::inside)
      return T(x >= T(a) && x <= T(b));
    else {
      static_assert(op == Unary::quantise);
      const T inside = x < T(0) ? T(0) : x > T(1) ? T(1) : x;
      return std::nearbyint(inside * T(255)) / T(255);
    }
  }
};

// Calls f.template operator()<op>().
template <class F>
MINI_HOST_DEVICE inline void visit(Unary op, const F& f) {
  switch (op) {
    case Unary::neg:
      return f.template operator()<Unary::neg>();
    case Unary::exp:
      return f.template operator()<Unary::exp>();
    case Unary::log:
      return f.template operator()<Unary::log>();
    case Unary::sin:
      return f.template operator()<Unary::sin>();
    case Unary::cos:
      return f.template operator()<Unary::cos>();
    case Unary::sqrt:
      return f.template operator()<Unary::sqrt>();
    case Unary::abs:
      return f.template operator()<Unary::abs>();
    case Unary::sign:
      return f.template operator()<Unary::sign>();
    case Unary::square:
      return f.template operator()<Unary::square>();
    case Unary::reciprocal:
      return f.template operator()<Unary::reciprocal>();
    case Unary::sigmoid:
      return f.template operator()<Unary::sigmoid>();
    case Unary::tanh:
      return f.template operator()<Unary::tanh>();
    case Unary::atan:
      return f.template operator()<Unary::atan>();
    case Unary::relu:
      return f.template operator()<Unary::relu>();
    case Unary::softplus:
      return f.template operator()<Unary::softplus>();
    case Unary::leaky_relu:
      return f.template operator()<Unary::leaky_relu>();
    case Unary::clamp:
      return f.template operator()<Unary::clamp>();
    case Unary::pow:
      return f.template operator()<Unary::pow>();
    case Unary::affine:
      return f.template operator()<Unary::affine>();
    case Unary::step:
      return f.template operator()<Unary::step>();
    case Unary::leaky_step:
      return f.template operator()<Unary::leaky_step>();
    case Unary::inside:
      return f.template operator()<Unary::inside>();
    case Unary::quantise:
      return f.template operator()<Unary::quantise>();
  }
}

template <Binary op>
struct BinaryOp {
  template <class T>
  MINI_HOST_DEVICE T operator()(T a, T b) const {
    if constexpr (op == Binary::add)
      return a + b;
    else if constexpr (op == Binary::sub)
      return a - b;
    else if constexpr (op == Binary::mul)
      return a * b;
    else if constexpr (op == Binary::div)
      return a / b;
    else if constexpr (op == Binary::maximum)
      return a < b || std::isnan(b) ? b : a;
    else if constexpr (op == Binary::minimum)
      return b < a || std::isnan(b) ? b : a;
    else if constexpr (op == Binary::pow)
      return std::pow(a, b);
    else if constexpr (op == Binary::greater)
      return T(a > b);
    else if constexpr (op == Binary::greater_equal)
      return T(a >= b);
    else {
      static_assert(op == Binary::equal);
      return T(a == b);
    }
  }
};

// Calls f.template operator()<op>().
template <class F>
MINI_HOST_DEVICE inline void visit(Binary op, const F& f) {
  switch (op) {
    case Binary::add:
      return f.template operator()<Binary::add>();
    case Binary::sub:
      return f.template operator()<Binary::sub>();
    case Binary::mul:
      return f.template operator()<Binary::mul>();
    case Binary::div:
      return f.template operator()<Binary::div>();
    case Binary::maximum:
      return f.template operator()<Binary::maximum>();
    case Binary::minimum:
      return f.template operator()<Binary::minimum>();
    case Binary::pow:
      return f.template operator()<Binary::pow>();
    case Binary::greater:
      return f.template operator()<Binary::greater>();
    case Binary::greater_equal:
      return f.template operator()<Binary::greater_equal>();
    case Binary::equal:
      return f.template operator()<Binary::equal>();
  }
}

// One element of an Adam step; ops/optimizer.h has the formula. It rounds where PyTorch rounds.
template <class T>
struct AdamUpdate {
  T beta1, rest1, beta2, rest2, eps, weight_decay;
  T gradient_scale, shrink, step_size, root_correction;

  MINI_HOST_DEVICE AdamUpdate(const AdamParams& params, const AdamStep& step)
      : beta1(T(params.beta1)),
        rest1(T(1 - params.beta1)),
        beta2(T(params.beta2)),
        rest2(T(1 - params.beta2)),
        eps(T(params.eps)),
        weight_decay(T(params.weight_decay)),
        gradient_scale(T(step.gradient_scale)),
        shrink(T(step.shrink)),
        step_size(T(step.step_size)),
        root_correction(T(step.root_correction)) {}

  MINI_HOST_DEVICE void operator()(T& parameter, T gradient, T& mean, T& square) const {
    T w = parameter * shrink;
    const T g = gradient_scale * gradient + weight_decay * w;
    mean = beta1 * mean + rest1 * g;
    square = beta2 * square + rest2 * g * g;
    w -= step_size * mean / (std::sqrt(square) / root_correction + eps);
    parameter = w;
  }
};

}  // namespace mini::functors
