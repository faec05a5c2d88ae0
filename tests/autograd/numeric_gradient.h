// First and second derivatives against central differences, in float64.
#pragma once

#include <algorithm>
#include <functional>
#include <gtest/gtest.h>

#include "autograd/engine.h"
#include "autograd/functions.h"
#include "ops/elementwise.h"
#include "ops/reduce.h"
#include "tensor/random.h"
#include "tests/support/support.h"

namespace mini::test {

using Function = std::function<Tensor(const Tensors&)>;

inline Tensor random(const Shape& shape, std::uint64_t seed = 1, DType dtype = DType::float64) {
  Generator generator{seed, 0};
  return ops::normal(generator, shape, dtype);
}

inline double dot(const Tensor& a, const Tensor& b) { return ops::sum(ops::mul(a, b)).item(); }

inline double largest(const Tensor& x) {  // max |x|
  return max_difference(x, Tensor::zeros(x.shape(), x.dtype()));
}

// df/dx by central differences, element by element; f must be smooth within `epsilon` of x.
inline Tensor numeric_gradient(const std::function<double()>& f, const Tensor& x,
                               double epsilon = 1e-6) {
  Tensor result = Tensor::empty(x.shape(), DType::float64);
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    double& value = x.data<double>()[i];
    const double before = value;
    value = before + epsilon;
    const double above = f();
    value = before - epsilon;
    const double below = f();
    value = before;
    result.data<double>()[i] = (above - below) / (2 * epsilon);
  }
  return result;
}

// Checks the gradients of f at contiguous float64 `inputs`, then the gradients of the gradients.
// The latter are compared with differences of first derivatives that are computed without
// create_graph. So if a function has a fused backward and a composition, the two are compared.
inline void expect_gradients(const Function& f, const Tensors& inputs, bool second = true,
                             double tolerance = 1e-7) {
  for (Tensor x : inputs) x.set_requires_grad();
  const Tensor probe = random(f(inputs).shape(), 77);
  const auto first = [&](bool create_graph) {
    return grad({f(inputs)}, inputs, {probe}, {.create_graph = create_graph});
  };
  const Tensors gradients = first(false), with_graph = first(true);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    SCOPED_TRACE(concat_text("input ", i));
    ASSERT_TRUE(gradients[i].defined());
    EXPECT_EQ(gradients[i].shape(), inputs[i].shape());
    const Tensor expected = numeric_gradient([&] { return dot(f(inputs), probe); }, inputs[i]);
    EXPECT_LT(relative_error(gradients[i], expected), tolerance);
    EXPECT_LT(relative_error(with_graph[i], expected), tolerance);
  }
  if (!second) return;

  Tensors probes, roots;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    probes.push_back(random(inputs[i].shape(), 100 + i));
    if (with_graph[i].requires_grad()) roots.push_back(sum(with_graph[i] * probes[i]));
  }
  ASSERT_FALSE(roots.empty()) << "no gradient depends on an input";
  Tensor total = roots[0];
  for (std::size_t i = 1; i < roots.size(); ++i) total = total + roots[i];
  const Tensors seconds = grad({total}, inputs);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    SCOPED_TRACE(concat_text("second derivative, input ", i));
    const Tensor expected = numeric_gradient(
        [&] {
          const Tensors current = first(false);
          double result = 0;
          for (std::size_t k = 0; k < inputs.size(); ++k) result += dot(current[k], probes[k]);
          return result;
        },
        inputs[i]);
    const Tensor got =
        seconds[i].defined() ? seconds[i] : Tensor::zeros(inputs[i].shape(), DType::float64);
    const double scale = std::max(1.0, largest(expected));
    EXPECT_LT(max_difference(got, expected), 10 * tolerance * scale);
  }
}

}  // namespace mini::test
