#include "ops/elementwise.h"

#include "ops/kernels.h"
#include "tensor/view.h"

namespace mini::ops {
namespace {

// The result of an elementwise op, in the memory order of the first operand that has its shape.
Tensor result_like(const Shape& shape, std::initializer_list<const Tensor*> operands) {
  for (const Tensor* x : operands)
    if (x->shape() == shape && x->is_dense())
      return Tensor::empty_strided(shape, x->strides(), x->dtype(), x->device());
  const Tensor& first = **operands.begin();
  return Tensor::empty(shape, first.dtype(), first.device());
}

void check_pair(const Tensor& a, const Tensor& b, const char* op) {
  check(a.dtype() == b.dtype(), op, ": dtypes ", a.dtype(), " and ", b.dtype(),
        " differ; cast one");
  check(a.device() == b.device(), op, ": operands are on ", a.device(), " and ", b.device());
}

}  // namespace

Tensor unary(Unary op, const Tensor& x, double a, double b) {
  check(is_floating(x.dtype()), name_of(op), ": needs a floating dtype, got ", x.dtype());
  Tensor y = result_like(x.shape(), {&x});
  MINI_DISPATCH(x.device(), unary, op, x, y, a, b);
  return y;
}

Tensor binary(Binary op, const Tensor& a, const Tensor& b) {
  check_pair(a, b, name_of(op));
  const Shape shape = broadcast_shapes(a.shape(), b.shape(), name_of(op));
  Tensor y = result_like(shape, {&a, &b});
  MINI_DISPATCH(a.device(), binary, op, expand(a, shape), expand(b, shape), y);
  return y;
}

Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b) {
  check_pair(a, b, "where");
  check_pair(condition, a, "where");
  const Shape shape =
      broadcast_shapes(condition.shape(), broadcast_shapes(a.shape(), b.shape(), "where"), "where");
  Tensor y = result_like(shape, {&a, &b, &condition});
  MINI_DISPATCH(a.device(), where, expand(condition, shape), expand(a, shape), expand(b, shape), y);
  return y;
}

void add_(const Tensor& y, const Tensor& x, double scale) {
  check_pair(y, x, "add_");
  check(y.shape() == x.shape(), "add_: shapes ", y.shape(), " and ", x.shape(), " differ");
  MINI_DISPATCH(y.device(), add_scaled, x, scale, y);
}

void add_(std::span<const Addition> pairs) {
  if (pairs.empty()) return;
  const Device device = pairs.front().sum.device();
  for (const auto& [sum, term] : pairs) {
    check_pair(sum, term, "add_");
    check(sum.shape() == term.shape(), "add_: shapes ", sum.shape(), " and ", term.shape(),
          " differ");
    check(sum.is_dense(), "add_: a sum ", sum.shape(), " has gaps; add to it alone");
    check(sum.device() == device, "add_: sums are on ", device, " and ", sum.device());
  }
  MINI_DISPATCH(device, add_pairs, pairs);
}

const char* name_of(Unary op) {
  switch (op) {
    case Unary::neg:
      return "neg";
    case Unary::exp:
      return "exp";
    case Unary::log:
      return "log";
    case Unary::sin:
      return "sin";
    case Unary::cos:
      return "cos";
    case Unary::sqrt:
      return "sqrt";
    case Unary::abs:
      return "abs";
    case Unary::sign:
      return "sign";
    case Unary::square:
      return "square";
    case Unary::reciprocal:
      return "reciprocal";
    case Unary::sigmoid:
      return "sigmoid";
    case Unary::tanh:
      return "tanh";
    case Unary::atan:
      return "atan";
    case Unary::relu:
      return "relu";
    case Unary::softplus:
      return "softplus";
    case Unary::leaky_relu:
      return "leaky_relu";
    case Unary::clamp:
      return "clamp";
    case Unary::pow:
      return "pow";
    case Unary::affine:
      return "affine";
    case Unary::step:
      return "step";
    case Unary::leaky_step:
      return "leaky_step";
    case Unary::inside:
      return "inside";
    case Unary::quantise:
      return "quantise";
  }
  return "unary";
}

const char* name_of(Binary op) {
  switch (op) {
    case Binary::add:
      return "add";
    case Binary::sub:
      return "sub";
    case Binary::mul:
      return "mul";
    case Binary::div:
      return "div";
    case Binary::maximum:
      return "maximum";
    case Binary::minimum:
      return "minimum";
    case Binary::pow:
      return "pow";
    case Binary::greater:
      return "greater";
    case Binary::greater_equal:
      return "greater_equal";
    case Binary::equal:
      return "equal";
  }
  return "binary";
}

}  // namespace mini::ops
