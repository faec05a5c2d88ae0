// The engine: which gradients it computes, and in which order. engine_memory_test.cpp tests its
// memory.
#include "autograd/engine.h"

#include <cmath>
#include <thread>

#include "autograd/functions.h"
#include "ops/elementwise.h"
#include "tensor/view.h"
#include "tests/support/support.h"

namespace mini {
namespace {

using Values = std::vector<double>;

Tensor leaf(const Values& values, const Shape& shape) {
  return Tensor::from(values, shape).set_requires_grad();
}
Tensor leaf(double value) { return leaf({value}, {}); }

// x -> exp(sin(x)), with its derivatives by hand.
struct ExpSin {
  double s, c, e;
  explicit ExpSin(double x) : s(std::sin(x)), c(std::cos(x)), e(std::exp(s)) {}
  double first() const { return e * c; }
  double second() const { return e * (c * c - s); }
  double third() const { return e * (c * c * c - 3 * c * s - c); }
};

TEST(Backward, CollectsInLeaves) {
  const Tensor a = leaf({1, 2, 3}, {3}), b = leaf({4, 5, 6}, {3}),
               constant = Tensor::ones({3}, DType::float64);
  backward(sum(a * b + constant));
  EXPECT_EQ(a.grad().to_vector(), (Values{4, 5, 6}));
  EXPECT_EQ(b.grad().to_vector(), (Values{1, 2, 3}));
  EXPECT_FALSE(constant.grad().defined());
}

TEST(Backward, SharedLeavesAndRepeatedCallsAccumulate) {
  const Tensor w = leaf({2, 3}, {2});
  const auto loss = [&] { return sum(w * w * w + w); };  // w used four times
  backward(loss());
  EXPECT_EQ(w.grad().to_vector(), (Values{13, 28}));
  backward(loss());
  EXPECT_EQ(w.grad().to_vector(), (Values{26, 56}));
}

TEST(Backward, ALeafNeverAddsToAGradientThatAnotherHolds) {
  const Tensor a = leaf(1.0), b = leaf(2.0);
  backward(a + b, {}, {.create_graph = true});  // both leaves receive the same tensor of ones
  backward(a + b);
  EXPECT_EQ(a.grad().item(), 2);
  EXPECT_EQ(b.grad().item(), 2);
  const Tensor held = a.grad();
  backward(a + b);
  EXPECT_EQ(held.item(), 2);
  EXPECT_EQ(a.grad().item(), 3);
}

TEST(Backward, TakesGradientsOfSeveralOutputs) {
  const Tensor x = leaf({1, 2}, {2});
  backward({x * 2.0, square(x)},
           {Tensor::from(Values{1, 10}, {2}), Tensor::from(Values{1, 1}, {2})});
  EXPECT_EQ(x.grad().to_vector(), (Values{4, 24}));
}

TEST(Backward, OfALeafItself) {
  const Tensor x = leaf(3.0);
  backward(x);
  EXPECT_EQ(x.grad().item(), 1);
}

TEST(Backward, DiamondsAreWalkedOnce) {
  int calls = 0;
  const Tensor x = leaf(1.0);
  const Tensor y = record("probe", {x}, ops::clone(x), [&](const Backward&, const Tensor& dy) {
    ++calls;
    return Tensors{dy};
  });
  Tensor z = y;
  for (int i = 0; i < 20; ++i) z = z + z;  // 2^20 paths
  backward(z);
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(x.grad().item(), 1 << 20);
}

TEST(Backward, TwoLeavesNeverShareOneGradient) {
  // The gradient of add is the same tensor for both operands.
  const Tensor a = leaf({1, 2}, {2}), b = leaf({3, 4}, {2});
  const Tensor seed = Tensor::ones({2}, DType::float64);
  const Tensor y = add(a, b);
  backward(y, seed, {.retain_graph = true});
  EXPECT_NE(a.grad().storage(), b.grad().storage());
  EXPECT_NE(a.grad().storage(), seed.storage());
  backward(y, seed, {.retain_graph = true});
  backward(a * 5.0, seed);
  EXPECT_EQ(a.grad().to_vector(), (Values{7, 7}));
  EXPECT_EQ(b.grad().to_vector(), (Values{2, 2}));
  EXPECT_EQ(seed.to_vector(), (Values{1, 1}));
}

TEST(Backward, InnerSumsDoNotOverwriteWhatOthersHold) {
  // y receives gradients from three users. The first of them is the same tensor that z received.
  const Tensor x = leaf({1, 1}, {2});
  const Tensor y = x * 1.0, z = x * 10.0;
  const Tensor out = add(y, z) + y + y;
  backward(out, Tensor::ones({2}, DType::float64));
  EXPECT_EQ(x.grad().to_vector(), (Values{13, 13}));
}

TEST(Backward, AddsToAGradientThatWasSet) {
  const Tensor x = leaf({1, 2}, {2});
  Tensor handle = x;
  const Tensor one = Tensor::ones({1}, DType::float64);
  handle.set_grad(ops::expand(one, {2}));  // both elements share their memory
  backward(sum(x * x));
  EXPECT_EQ(x.grad().to_vector(), (Values{3, 5}));
  EXPECT_EQ(one.item(), 1);
  EXPECT_EQ(test::error_of([&] { handle.set_grad(one); }),
            "set_grad: a gradient of shape [1] for a tensor of shape [2]");
}

TEST(Backward, FreesTheGraphUnlessRetained) {
  const Tensor x = leaf(2.0);
  const Tensor y = exp(x);
  backward(y, {}, {.retain_graph = true});
  backward(y);
  EXPECT_NEAR(x.grad().item(), 2 * std::exp(2.0), 1e-12);
  EXPECT_EQ(
      test::error_of([&] { backward(y); }),
      "exp: the graph was freed by an earlier backward; pass retain_graph to that one to walk "
      "it again");
}

TEST(Backward, Errors) {
  const Tensor x = leaf({1, 2}, {2});
  EXPECT_EQ(test::error_of([&] { backward(x * 2.0); }),
            "backward: an output of shape [2] needs a gradient; only a single element has one by "
            "default");
  EXPECT_EQ(test::error_of([&] { backward(x * 2.0, Tensor::ones({3}, DType::float64)); }),
            "backward: a gradient of shape [3] for an output of shape [2]");
  EXPECT_EQ(test::error_of([&] { backward(Tensor::ones({1})); }),
            "backward: the output does not depend on a tensor that requires a gradient");
  EXPECT_EQ(test::error_of([&] {
              backward({sum(x)}, {Tensor(), Tensor()});
            }),
            "backward: 1 outputs with 2 gradients");
  EXPECT_EQ(test::error_of([&] { grad({sum(x)}, {Tensor::ones({1})}); }),
            "grad: an input does not require a gradient (shape [1])");
  EXPECT_EQ(test::error_of([&] { Tensor::arange(3).set_requires_grad(); }),
            "set_requires_grad: a tensor of int64 has no gradient");
  EXPECT_EQ(test::error_of([&] { (x * 2.0).set_requires_grad(); }),
            "set_requires_grad: the result of an operation always takes part; use detach()");
  const Tensor wrong = record("wrong", {x, x}, ops::clone(x),
                              [](const Backward&, const Tensor& dy) { return Tensors{dy}; });
  EXPECT_EQ(test::error_of([&] { backward(sum(wrong)); }),
            "wrong: backward returned 1 gradients for 2 inputs");
}

TEST(Backward, AFailureInsideLeavesTheEngineUsable) {
  const Tensor x = leaf(1.0);
  const Tensor y =
      record("broken", {x}, ops::clone(x),
             [](const Backward&, const Tensor&) -> Tensors { fail("broken: no gradient today"); });
  EXPECT_EQ(test::error_of([&] { backward(y * 2.0); }), "broken: no gradient today");
  EXPECT_TRUE(grad_enabled());
  backward(square(x));
  EXPECT_EQ(x.grad().item(), 2);
}

TEST(Grad, LeavesGradFieldsAlone) {
  const Tensor x = leaf(3.0), w = leaf(4.0);
  const Tensors grads = grad({x * x * w}, {x});
  EXPECT_EQ(grads[0].item(), 24);
  EXPECT_FALSE(x.grad().defined());
  EXPECT_FALSE(w.grad().defined());
}

TEST(Grad, OfIntermediates) {
  const Tensor x = leaf(2.0);
  const Tensor y = x * 3.0, z = square(y);
  const Tensors grads = grad({z * y}, {y, z, x});  // y^3
  EXPECT_EQ(grads[0].item(), 3 * 36);
  EXPECT_EQ(grads[1].item(), 6);
  EXPECT_EQ(grads[2].item(), 3 * 36 * 3);
}

TEST(Grad, OfAnOutputItself) {
  const Tensor x = leaf(2.0);
  const Tensor y = square(x);
  EXPECT_EQ(grad({y}, {y})[0].item(), 1);
}

TEST(Grad, UndefinedWithoutInfluence) {
  const Tensor x = leaf(2.0), other = leaf(1.0);
  const Tensors grads = grad({square(x)}, {other, x});
  EXPECT_FALSE(grads[0].defined());
  EXPECT_EQ(grads[1].item(), 4);
}

TEST(Grad, ComputesOnlyWhatLiesBetween) {
  int calls = 0;
  const auto probe = [&](const Tensor& x) {
    return record("probe", {x}, ops::clone(x), [&](const Backward& context, const Tensor& dy) {
      ++calls;
      EXPECT_TRUE(context.needs(0));
      return Tensors{dy};
    });
  };
  const Tensor x = leaf(1.0), w = leaf(1.0);
  const Tensor below = probe(x);  // depends on x only
  const Tensor y = below * probe(w);
  grad({y}, {below}, {}, {.retain_graph = true});
  EXPECT_EQ(calls, 0);
  grad({y}, {w}, {}, {.retain_graph = true});
  EXPECT_EQ(calls, 1);
  grad({y}, {x, w});
  EXPECT_EQ(calls, 3);
}

TEST(Grad, SecondAndThirdOrder) {
  const double at = 0.7;
  const ExpSin expected(at);
  const Tensor x = leaf(at);
  const Tensor first = grad({exp(sin(x))}, {x}, {}, {.create_graph = true})[0];
  const Tensor second = grad({first}, {x}, {}, {.create_graph = true})[0];
  const Tensor third = grad({second}, {x})[0];
  EXPECT_NEAR(first.item(), expected.first(), 1e-14);
  EXPECT_NEAR(second.item(), expected.second(), 1e-14);
  EXPECT_NEAR(third.item(), expected.third(), 1e-14);
  EXPECT_FALSE(third.requires_grad());
}

TEST(Grad, OfAGradientPenalty) {
  // |d(w x^2)/dx|^2 = 4 w^2 x^2, whose derivative by w is 8 w x^2.
  const Tensor x = leaf({1, 2, 3}, {3}), w = leaf(0.5);
  const Tensor dx = grad({sum(w * square(x))}, {x}, {}, {.create_graph = true})[0];
  backward(sum(square(dx)));
  EXPECT_NEAR(w.grad().item(), 8 * 0.5 * 14, 1e-12);
}

TEST(Backward, CreateGraphMakesGradientsDifferentiable) {
  Tensor x = leaf(2.0);
  backward(x * x * x, {}, {.create_graph = true});
  EXPECT_EQ(x.grad().item(), 12);
  EXPECT_EQ(grad({x.grad()}, {x})[0].item(), 12);  // 6x
  x.set_grad({});                                  // x and its gradient's graph hold each other
}

TEST(Backward, SavedOutputsStayDifferentiableWhenTheirTensorIsGone) {
  // The op has two outputs, e and e^2. The gradient of the second uses the saved first output, to
  // which no other handle remains when backward runs.
  const Tensor x = leaf(0.3);
  Tensor second = [&] {
    const Tensor e = ops::unary(Unary::exp, x);
    return record_all(
        "pair", {x}, {e, ops::mul(e, e)},
        [](const Backward& context, const Tensors& dys) {
          return Tensors{dys[1] * square(context.output(0)) * 2.0};
        },
        true)[1];
  }();
  const Tensor first = grad({second}, {x}, {}, {.create_graph = true})[0];
  EXPECT_NEAR(first.item(), 2 * std::exp(0.6), 1e-14);
  EXPECT_TRUE(first.requires_grad());
}

TEST(Backward, ReentersItself) {
  // The backward of this op evaluates the function again and differentiates it.
  const auto recomputed = [](const Tensor& x) {
    const NoGrad guard;
    const Tensor y = exp(sin(x));
    const GradMode record_it(true);
    return record("recomputed", {x}, y, [inner = x.detach()](const Backward&, const Tensor& dy) {
      const GradMode mode(true);
      Tensor again = inner.detach();
      again.set_requires_grad();
      return grad({exp(sin(again))}, {again}, {dy});
    });
  };
  const Tensor x = leaf(0.7);
  backward(recomputed(recomputed(x)));
  const double inner = std::exp(std::sin(0.7));
  EXPECT_NEAR(x.grad().item(), ExpSin(inner).first() * ExpSin(0.7).first(), 1e-14);
}

TEST(GradMode, NoGradRecordsNothing) {
  const Tensor x = leaf(1.0);
  {
    const NoGrad guard;
    EXPECT_FALSE(exp(x).requires_grad());
    {
      const GradMode inner(true);
      EXPECT_TRUE(exp(x).requires_grad());
    }
    EXPECT_FALSE(grad_enabled());
    // Every thread has its own mode.
    std::thread([] { EXPECT_TRUE(grad_enabled()); }).join();
  }
  EXPECT_TRUE(exp(x).requires_grad());
}

TEST(Detach, SharesValuesNotHistory) {
  const Tensor x = leaf(3.0);
  const Tensor y = square(x), cut = y.detach();
  EXPECT_EQ(cut.storage(), y.storage());
  EXPECT_FALSE(cut.requires_grad());
  backward(cut * y);  // 9 · x^2, where 9 is a constant
  EXPECT_EQ(x.grad().item(), 54);
}

TEST(Detach, AFrozenLeafGetsNoGradient) {
  Tensor x = leaf(3.0);
  const Tensor w = leaf(2.0);
  x.set_requires_grad(false);
  backward(x * w);
  EXPECT_FALSE(x.grad().defined());
  EXPECT_EQ(w.grad().item(), 3);
}

}  // namespace
}  // namespace mini
