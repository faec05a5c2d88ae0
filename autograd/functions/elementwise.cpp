// Elementwise functions and their derivatives. Backward functions are composed of functions of the
// catalogue, so they can themselves be differentiated.
#include "ops/elementwise.h"

#include "autograd/functions.h"
#include "autograd/node.h"

namespace mini {
namespace {

// y = op(x), where derivative(x, dy) returns dx.
template <class Derivative>
Tensor unary(Unary op, const Tensor& x, Derivative derivative, double a = 0, double b = 0) {
  return record(
      ops::name_of(op), {x}, ops::unary(op, x, a, b),
      [x, derivative](const Backward&, const Tensor& dy) { return Tensors{derivative(x, dy)}; });
}

// y = op(x), where derivative(y, dy) returns dx. The next function often saves y as its input; then
// this one needs no memory of its own.
template <class Derivative>
Tensor unary_by_output(Unary op, const Tensor& x, Derivative derivative, double a = 0) {
  return record(
      ops::name_of(op), {x}, ops::unary(op, x, a, 0),
      [derivative](const Backward& context, const Tensor& dy) {
        return Tensors{derivative(context.output(), dy)};
      },
      Save::output);
}

// y = op(a, b). da(a, b, dy) and db(a, b, dy) have the shape of y; broadcast dimensions are then
// summed.
template <class DA, class DB>
Tensor binary(Binary op, const Tensor& a, const Tensor& b, DA da, DB db) {
  return record(ops::name_of(op), {a, b}, ops::binary(op, a, b),
                [a, b, da, db](const Backward& context, const Tensor& dy) {
                  Tensors grads(2);
                  if (context.needs(0)) grads[0] = sum_to(da(a, b, dy), a.shape());
                  if (context.needs(1)) grads[1] = sum_to(db(a, b, dy), b.shape());
                  return grads;
                });
}

// d max(a,b)/da: 1 where a is greater, 1/2 where the operands are equal.
Tensor winner(const Tensor& a, const Tensor& b) {
  return ops::unary(Unary::affine, ops::add(greater(a, b), greater_equal(a, b)), 0.5);
}

}  // namespace

Tensor neg(const Tensor& x) {
  return record("neg", {x}, ops::unary(Unary::neg, x),
                [](const Backward&, const Tensor& dy) { return Tensors{neg(dy)}; });
}

Tensor affine(const Tensor& x, double scale, double shift) {
  return record(
      "affine", {x}, ops::unary(Unary::affine, x, scale, shift),
      [scale](const Backward&, const Tensor& dy) { return Tensors{affine(dy, scale, 0)}; });
}

Tensor exp(const Tensor& x) {
  return unary_by_output(Unary::exp, x, [](const Tensor& y, const Tensor& dy) { return dy * y; });
}

Tensor log(const Tensor& x) {
  return unary(Unary::log, x, [](const Tensor& v, const Tensor& dy) { return dy / v; });
}

Tensor sin(const Tensor& x) {
  return unary(Unary::sin, x, [](const Tensor& v, const Tensor& dy) { return dy * cos(v); });
}

Tensor cos(const Tensor& x) {
  return unary(Unary::cos, x, [](const Tensor& v, const Tensor& dy) { return neg(dy * sin(v)); });
}

Tensor sqrt(const Tensor& x) {
  return unary_by_output(Unary::sqrt, x,
                         [](const Tensor& y, const Tensor& dy) { return dy / (y * 2.0); });
}

Tensor abs(const Tensor& x) {
  return unary(Unary::abs, x,
               [](const Tensor& v, const Tensor& dy) { return dy * ops::unary(Unary::sign, v); });
}

Tensor square(const Tensor& x) {
  return unary(Unary::square, x, [](const Tensor& v, const Tensor& dy) { return dy * v * 2.0; });
}

Tensor reciprocal(const Tensor& x) {
  return unary_by_output(Unary::reciprocal, x,
                         [](const Tensor& y, const Tensor& dy) { return neg(dy * square(y)); });
}

Tensor sigmoid(const Tensor& x) {
  return unary_by_output(Unary::sigmoid, x,
                         [](const Tensor& y, const Tensor& dy) { return dy * (y - square(y)); });
}

Tensor tanh(const Tensor& x) {
  return unary_by_output(Unary::tanh, x,
                         [](const Tensor& y, const Tensor& dy) { return dy - dy * square(y); });
}

Tensor atan(const Tensor& x) {
  return unary(Unary::atan, x,
               [](const Tensor& v, const Tensor& dy) { return dy / (square(v) + 1.0); });
}

Tensor relu(const Tensor& x) {
  return unary_by_output(Unary::relu, x, [](const Tensor& y, const Tensor& dy) {
    return dy * ops::unary(Unary::step, y);
  });
}

Tensor leaky_relu(const Tensor& x, double slope) {
  const auto derivative = [slope](const Tensor& v, const Tensor& dy) {
    return dy * ops::unary(Unary::leaky_step, v, slope);
  };
  // If slope > 0, the result has the sign of x, so it gives the derivative.
  if (slope > 0) return unary_by_output(Unary::leaky_relu, x, derivative, slope);
  return unary(Unary::leaky_relu, x, derivative, slope);
}

Tensor softplus(const Tensor& x) {
  return unary(Unary::softplus, x,
               [](const Tensor& v, const Tensor& dy) { return dy * sigmoid(v); });
}

Tensor clamp(const Tensor& x, double low, double high) {
  check(low <= high, "clamp: low ", low, " is above high ", high);
  return unary(
      Unary::clamp, x,
      [low, high](const Tensor& v, const Tensor& dy) {
        return dy * ops::unary(Unary::inside, v, low, high);
      },
      low, high);
}

Tensor pow(const Tensor& x, double exponent) {
  return unary(
      Unary::pow, x,
      [exponent](const Tensor& v, const Tensor& dy) {
        // x^0 is 1 even at x = 0, where 0 · 0^(-1) would be NaN.
        return exponent == 0 ? dy * 0.0 : dy * (pow(v, exponent - 1) * exponent);
      },
      exponent);
}

Tensor quantise(const Tensor& x) {
  return record("quantise", {x}, ops::unary(Unary::quantise, x),
                [](const Backward&, const Tensor& dy) { return Tensors{dy}; });
}

Tensor add(const Tensor& a, const Tensor& b) {
  return record("add", {a, b}, ops::binary(Binary::add, a, b),
                [left = a.shape(), right = b.shape()](const Backward& context, const Tensor& dy) {
                  return Tensors{context.needs(0) ? sum_to(dy, left) : Tensor(),
                                 context.needs(1) ? sum_to(dy, right) : Tensor()};
                });
}

Tensor sub(const Tensor& a, const Tensor& b) {
  return record("sub", {a, b}, ops::binary(Binary::sub, a, b),
                [left = a.shape(), right = b.shape()](const Backward& context, const Tensor& dy) {
                  return Tensors{context.needs(0) ? sum_to(dy, left) : Tensor(),
                                 context.needs(1) ? neg(sum_to(dy, right)) : Tensor()};
                });
}

Tensor mul(const Tensor& a, const Tensor& b) {
  return record("mul", {a, b}, ops::binary(Binary::mul, a, b),
                [x = saved_for(b, a), y = saved_for(a, b), left = a.shape(), right = b.shape()](
                    const Backward& context, const Tensor& dy) {
                  return Tensors{context.needs(0) ? sum_to(dy * y, left) : Tensor(),
                                 context.needs(1) ? sum_to(dy * x, right) : Tensor()};
                });
}

Tensor div(const Tensor& a, const Tensor& b) {
  return record("div", {a, b}, ops::binary(Binary::div, a, b),
                [x = saved_for(b, a), y = b, left = a.shape(), right = b.shape()](
                    const Backward& context, const Tensor& dy) {
                  return Tensors{
                      context.needs(0) ? sum_to(dy / y, left) : Tensor(),
                      context.needs(1) ? sum_to(neg(dy * x / square(y)), right) : Tensor()};
                });
}

Tensor pow(const Tensor& a, const Tensor& b) {
  return binary(
      Binary::pow, a, b,
      [](const Tensor& x, const Tensor& y, const Tensor& dy) { return dy * y * pow(x, y - 1.0); },
      [](const Tensor& x, const Tensor& y, const Tensor& dy) { return dy * pow(x, y) * log(x); });
}

Tensor maximum(const Tensor& a, const Tensor& b) {
  return binary(
      Binary::maximum, a, b,
      [](const Tensor& x, const Tensor& y, const Tensor& dy) { return dy * winner(x, y); },
      [](const Tensor& x, const Tensor& y, const Tensor& dy) { return dy * winner(y, x); });
}

Tensor minimum(const Tensor& a, const Tensor& b) {
  return binary(
      Binary::minimum, a, b,
      [](const Tensor& x, const Tensor& y, const Tensor& dy) { return dy * winner(y, x); },
      [](const Tensor& x, const Tensor& y, const Tensor& dy) { return dy * winner(x, y); });
}

Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b) {
  return record("where", {a, b}, ops::where(condition, a, b),
                [condition = condition.detach(), left = a.shape(), right = b.shape()](
                    const Backward& context, const Tensor& dy) {
                  const Tensor zero = Tensor::zeros({}, dy.dtype(), dy.device());
                  Tensors grads(2);
                  if (context.needs(0)) grads[0] = sum_to(where(condition, dy, zero), left);
                  if (context.needs(1)) grads[1] = sum_to(where(condition, zero, dy), right);
                  return grads;
                });
}

Tensor prelu(const Tensor& x, const Tensor& slope) {
  check(x.rank() >= 2 && slope.rank() == 1 && slope.size(0) == x.size(1), "prelu: slope ",
        slope.shape(), " must have one value for each channel of ", x.shape());
  Shape channels = slope.shape();
  for (int d = 2; d < x.rank(); ++d) channels.push_back(1);
  const Tensor positive = greater(x, Tensor::zeros({}, x.dtype(), x.device()));
  return where(positive, x, x * reshape(slope, channels));
}

Tensor greater(const Tensor& a, const Tensor& b) { return ops::binary(Binary::greater, a, b); }
Tensor greater_equal(const Tensor& a, const Tensor& b) {
  return ops::binary(Binary::greater_equal, a, b);
}
Tensor equal(const Tensor& a, const Tensor& b) { return ops::binary(Binary::equal, a, b); }

}  // namespace mini
