// Elementwise functions. A row consists of the function, its formula for one element, and the range
// of samples.
#include <algorithm>
#include <cmath>

#include "autograd/functions.h"
#include "tools/mini_gradcheck/row.h"

namespace mini::suite {
namespace {

using Unary = Tensor (*)(const Tensor&);
using Binary = Tensor (*)(const Tensor&, const Tensor&);

Tensor zeros(const Shape& shape, DType dtype = DType::float32) {
  return Tensor::zeros(shape, dtype);
}

template <class Call, class Formula, class... Parameters>
Case unary_case(Sampler& s, const Draw& draw, Call call, Formula formula,
                const Parameters&... parameters) {
  return make_case(
      {s.input(s.shape(0, 4), draw)}, [call](const Tensors& x) { return call(x[0]); },
      [formula](const Arrays& x) {
        Array y = x[0];
        for (double& value : y.values) value = formula(value);
        return y;
      },
      parameters...);
}

std::vector<ErrorCase> unary_errors(const std::string& name,
                                    const std::function<void(Tensor)>& call) {
  return {
      {[call] { call(zeros({2}, DType::int64)); }, name + ": needs a floating dtype, got int64"}};
}

template <class Formula>
Row unary(const std::string& name, Unary call, Formula formula, const Draw& draw = uniform(-2, 2),
          Traits traits = {}) {
  return {name, [=](Sampler& s) { return unary_case(s, draw, call, formula); }, traits,
          unary_errors(name, call)};
}

// `pair` draws values of the first operand, `second` those of the other.
template <class Formula>
Row binary(const std::string& name, Binary call, Formula formula,
           const std::function<Draw()>& first, const std::function<Draw()>& second,
           Traits traits = {}) {
  traits.broadcasts = true;
  const auto sample = [=](Sampler& s) {
    const Shape shape = s.shape(0, 4, 16), small = s.broadcastable(shape);
    const bool swap = s.coin();
    const Draw draw = first(), other = second ? second() : draw;
    return make_case(
        {s.input(swap ? small : shape, draw), s.input(swap ? shape : small, other)},
        [call](const Tensors& x) { return call(x[0], x[1]); },
        [=](const Arrays& x) {
          return generate(
              shape, [&](const Shape& i) { return formula(x[0].broadcast(i), x[1].broadcast(i)); });
        });
  };
  return {name,
          sample,
          traits,
          {{[=] {
              call(zeros({2, 3}), zeros({2}));
            },
            name + ": shapes [2,3] and [2] do not broadcast"},
           {[=] { call(zeros({2}), zeros({2}, DType::float64)); },
            name + ": dtypes float32 and float64 differ; cast one"}}};
}

std::function<Draw()> in(double low, double high) {
  return [=] { return uniform(low, high); };
}
// One source for both operands, so that their values are never equal.
std::function<Draw()> no_ties() {
  return [] { return distinct(); };
}
// Few different values, so that operands are often equal.
std::function<Draw()> few() {
  return [] { return integers(-1, 1); };
}

}  // namespace

std::vector<Row> elementwise_rows() {
  constexpr Traits linear{.linear = every_input};
  constexpr Traits constant{.differentiable = false};
  return {
      unary(
          "neg", neg, [](double x) { return -x; }, uniform(-2, 2), linear),
      unary("exp", exp, [](double x) { return std::exp(x); }),
      unary(
          "log", log, [](double x) { return std::log(x); }, uniform(0.2, 4)),
      unary("sin", sin, [](double x) { return std::sin(x); }),
      unary("cos", cos, [](double x) { return std::cos(x); }),
      unary(
          "sqrt", sqrt, [](double x) { return std::sqrt(x); }, uniform(0.2, 4)),
      unary(
          "abs", abs, [](double x) { return x < 0 ? -x : x; }, away_from({0})),
      unary("square", square, [](double x) { return x * x; }),
      unary(
          "reciprocal", reciprocal, [](double x) { return 1 / x; }, uniform(-3, -0.4)),
      unary(
          "sigmoid", sigmoid, [](double x) { return 1 / (1 + std::exp(-x)); }, uniform(-5, 5)),
      unary("tanh", tanh, [](double x) { return 1 - 2 / (std::exp(2 * x) + 1); }),
      unary("atan", atan, [](double x) { return std::asin(x / std::sqrt(1 + x * x)); }),
      unary(
          "relu", relu, [](double x) { return x > 0 ? x : 0; }, away_from({0})),
      {"leaky_relu",
       [](Sampler& s) {
         const double slope = s.pick({0.01, 0.2, 0.5, 1.5});
         return unary_case(
             s, away_from({0}), [=](const Tensor& x) { return leaky_relu(x, slope); },
             [=](double x) { return x > 0 ? x : slope * x; }, "slope=", slope);
       },
       {},
       unary_errors("leaky_relu", [](const Tensor& x) { leaky_relu(x); })},
      {"prelu",
       [](Sampler& s) {
         const Shape shape = s.shape(2, 4);
         return make_case(
             {s.input(shape, away_from({0})), s.input({shape[1]})},
             [](const Tensors& x) { return prelu(x[0], x[1]); },
             [=](const Arrays& x) {
               return generate(shape, [&](const Shape& i) {
                 return x[0][i] > 0 ? x[0][i] : x[1][{i[1]}] * x[0][i];
               });
             });
       },
       {.broadcasts = true},
       {{[] {
           prelu(zeros({2, 3}), zeros({2}));
         },
         "prelu: slope [2] must have one value for each channel of [2,3]"}}},
      unary(
          "softplus", softplus, [](double x) { return std::log(1 + std::exp(x)); }, uniform(-5, 5)),
      {"clamp",
       [](Sampler& s) {
         const double low = s.real(-1, 0), high = s.real(0.1, 1);
         return unary_case(
             s, away_from({low, high}), [=](const Tensor& x) { return clamp(x, low, high); },
             [=](double x) { return std::min(std::max(x, low), high); }, low, "..", high);
       },
       {},
       {{[] { clamp(zeros({2}), 1, 0); }, "clamp: low 1 is above high 0"}}},
      {"pow",
       [](Sampler& s) {
         const double exponent = s.pick({-1.5, 0.0, 0.5, 1.0, 2.0, 3.0});
         return unary_case(
             s, uniform(0.3, 2), [=](const Tensor& x) { return pow(x, exponent); },
             [=](double x) { return std::pow(x, exponent); }, "^", exponent);
       },
       {},
       unary_errors("pow", [](const Tensor& x) { pow(x, 2.0); })},
      {"affine",
       [](Sampler& s) {
         const double scale = s.real(-2, 2), shift = s.real(-2, 2);
         return unary_case(
             s, uniform(-2, 2), [=](const Tensor& x) { return affine(x, scale, shift); },
             [=](double x) { return scale * x + shift; }, scale, "x+", shift);
       },
       linear, unary_errors("affine", [](const Tensor& x) { affine(x, 1, 0); })},
      {"quantise",
       [](Sampler& s) {
         // Values where float32 and float64 could round to different levels are avoided. The
         // gradient is that of the identity, outside [0,1], too.
         const Draw level = [](Generator& random) {
           return (static_cast<double>(random.next_below(400)) - 70 +
                   0.8 * (random.next_uniform() - 0.5)) /
                  255;
         };
         Case c = unary_case(
             s, level, [](const Tensor& x) { return quantise(x); },
             [](double x) { return std::round(255 * std::clamp(x, 0.0, 1.0)) / 255; });
         c.derivative_of = [](const Tensors& x) { return x; };
         return c;
       },
       {},
       unary_errors("quantise", [](const Tensor& x) { quantise(x); })},

      binary(
          "add", add, [](double a, double b) { return a + b; }, in(-2, 2), in(-2, 2), linear),
      binary(
          "sub", sub, [](double a, double b) { return a - b; }, in(-2, 2), in(-2, 2), linear),
      binary(
          "mul", mul, [](double a, double b) { return a * b; }, in(-2, 2), in(-2, 2), linear),
      binary("div", div, [](double a, double b) { return a / b; }, in(-2, 2), in(0.5, 2),
             {.linear = 1}),
      binary(
          "pow", pow, [](double a, double b) { return std::pow(a, b); }, in(0.3, 2), in(-2, 2)),
      binary("maximum", maximum, [](double a, double b) { return a > b ? a : b; }, no_ties(), {}),
      binary("minimum", minimum, [](double a, double b) { return a < b ? a : b; }, no_ties(), {}),
      {"where",
       [](Sampler& s) {
         const Shape shape = s.shape(0, 4, 16);
         return make_case(
             {s.constant(s.broadcastable(shape), integers(0, 1)), s.input(shape),
              s.input(s.broadcastable(shape))},
             [](const Tensors& x) { return where(x[0], x[1], x[2]); },
             [=](const Arrays& x) {
               return generate(shape, [&](const Shape& i) {
                 return x[0].broadcast(i) != 0 ? x[1].broadcast(i) : x[2].broadcast(i);
               });
             });
       },
       {.linear = 0b110, .broadcasts = true},
       {{[] { where(zeros({2}), zeros({2}), zeros({3})); },
         "where: shapes [2] and [3] do not broadcast"},
        {[] { where(zeros({2}, DType::int64), zeros({2}), zeros({2})); },
         "where: dtypes int64 and float32 differ"}}},
      binary(
          "greater", greater, [](double a, double b) { return a > b ? 1.0 : 0.0; }, few(), {},
          constant),
      binary(
          "greater_equal", greater_equal, [](double a, double b) { return a >= b ? 1.0 : 0.0; },
          few(), {}, constant),
      binary(
          "equal", equal, [](double a, double b) { return a == b ? 1.0 : 0.0; }, few(), {},
          constant),
  };
}

}  // namespace mini::suite
