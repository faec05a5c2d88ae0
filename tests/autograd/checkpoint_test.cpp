// Checkpoints give the same bits in gradients and need less memory.
#include "autograd/checkpoint.h"

#include <cmath>

#include "autograd/engine.h"
#include "autograd/functions.h"
#include "ops/elementwise.h"
#include "tensor/view.h"
#include "tests/support/support.h"

namespace mini {
namespace {

using Values = std::vector<double>;
using Function = std::function<Tensors(const Tensors&)>;

Tensor leaf(double value) { return Tensor::scalar(value, DType::float64).set_requires_grad(); }
Tensor leaf(const Values& values) {
  return Tensor::from(values, {static_cast<std::int64_t>(values.size())}).set_requires_grad();
}

// function(inputs), checkpointed or stored.
Tensors run(bool checkpointed, const Function& function, const Tensors& inputs,
            Generator* generator = nullptr) {
  return checkpointed ? checkpoint(function, inputs, generator) : function(inputs);
}

void expect_equal_bits(const Tensors& a, const Tensors& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    ASSERT_EQ(a[i].defined(), b[i].defined()) << i;
    if (a[i].defined()) {
      EXPECT_TRUE(test::equal_bits(a[i], b[i])) << i;
    }
  }
}

// Counts the evaluations of a function.
struct Counted {
  int calls = 0;
  Function of(Function function) {
    return [this, function = std::move(function)](const Tensors& inputs) {
      ++calls;
      return function(inputs);
    };
  }
};

// Convolutional segments share their weights and have skip connections. Many gradients are added,
// so their order affects the bits.
TEST(Checkpoint, GivesTheBitsOfAStoredGraph) {
  Generator generator{3};
  const auto parameter = [&](const Shape& shape) {
    return ops::unary(Unary::affine, ops::normal(generator, shape), 0.2).set_requires_grad();
  };
  const Tensor x = parameter({2, 4, 9, 11}), w = parameter({4, 4, 3, 3}), b = parameter({4}),
               first = parameter({6, 4, 3, 3}), first_bias = parameter({6}),
               last = parameter({4, 10, 3, 3}), last_bias = parameter({4});
  const Tensors leaves{x, w, b, first, first_bias, last, last_bias};
  const auto gradients = [&](bool checkpointed) {
    const Function segment = [&](const Tensors& t) -> Tensors {
      const Conv2dParams same{.padding = {1, 1}};
      Tensor y = leaky_relu(conv2d(t[0], w, b, same));
      y = conv2d(y, w, b, same) + t[0];
      return {dense_block(y, {first, last}, {first_bias, last_bias}, 0.2) * t[0] + y, y};
    };
    Tensor y = x, skips = x * 0.3;
    for (int i = 0; i < 3; ++i) {
      const Tensors out = run(checkpointed, segment, {y, w, b, first, first_bias, last, last_bias});
      skips = skips + out[1] * y;
      y = out[0] + x;
    }
    for (Tensor parameter : leaves) parameter.set_grad({});
    backward(mean(square(y)) + mean(skips * y));
    Tensors result{y.detach()};
    for (const Tensor& parameter : leaves) result.push_back(parameter.grad());
    return result;
  };
  expect_equal_bits(gradients(true), gradients(false));
}

TEST(Checkpoint, EvaluatesTwiceAndOnlyWhatIsWanted) {
  Counted counted;
  const Function f = counted.of([](const Tensors& t) { return Tensors{sin(t[0])}; });
  const Tensor x = leaf(0.7), w = leaf(2.0);
  const Tensor y = checkpoint(f, {x})[0] * w;
  EXPECT_EQ(counted.calls, 1);
  EXPECT_EQ(grad({y}, {w}, {}, {.retain_graph = true})[0].item(), std::sin(0.7));
  EXPECT_EQ(counted.calls, 1);
  backward(y);
  EXPECT_EQ(counted.calls, 2);
  EXPECT_EQ(x.grad().item(), 2 * std::cos(0.7));
}

TEST(Checkpoint, GradPrunesInside) {
  int calls = 0;
  const auto probe = [&](const Tensor& x) {
    return record("probe", {x}, ops::clone(x), [&](const Backward&, const Tensor& dy) {
      ++calls;
      return Tensors{dy};
    });
  };
  const Tensor x = leaf(3.0), w = leaf(5.0), other = leaf(1.0);
  const Tensor below = square(x);
  const Tensor y =
      checkpoint([&](const Tensors& t) { return Tensors{probe(t[0]) * t[1]}; }, {below, w})[0];
  const Tensors first = grad({y}, {w, other}, {}, {.retain_graph = true});
  EXPECT_EQ(first[0].item(), 9);
  EXPECT_FALSE(first[1].defined());
  EXPECT_EQ(calls, 0);
  const Tensors second = grad({y}, {below, x, y});
  EXPECT_EQ(second[0].item(), 5);
  EXPECT_EQ(second[1].item(), 30);
  EXPECT_EQ(second[2].item(), 1);
  EXPECT_EQ(calls, 1);
  EXPECT_FALSE(x.grad().defined());
}

TEST(Checkpoint, OfSeveralOutputs) {
  const Tensor x = leaf({3, 1, 2});
  const Function f = [](const Tensors& t) {
    return Tensors{square(t[0]), Tensor(),   argmax(t[0], 0),
                   t[0],         t[0] * 5.0, Tensor::ones({3}, DType::float64)};
  };
  for (const bool checkpointed : {false, true}) {
    Tensor input = x;
    input.set_grad({});
    const Tensors y = run(checkpointed, f, {x});
    ASSERT_EQ(y.size(), 6u);
    EXPECT_FALSE(y[1].defined());
    EXPECT_EQ(y[2].item(), 0);
    EXPECT_FALSE(y[2].requires_grad());
    // No gradient arrives at y[4]; y[5] does not depend on x.
    backward(sum(y[0] * y[3]) + sum(y[5] * x));
    EXPECT_EQ(x.grad().to_vector(), (Values{28, 4, 13}));
  }
}

TEST(Checkpoint, OfUndefinedAndConstantInputs) {
  Tensor x = leaf(3.0), constant = Tensor::scalar(2.0, DType::float64);
  const Function f = [](const Tensors& t) {
    EXPECT_FALSE(t[1].defined());
    return Tensors{t[0] * t[2]};
  };
  const Tensor y = checkpoint(f, {x, Tensor(), constant})[0];
  constant.set_requires_grad();  // too late to affect y
  backward(y);
  EXPECT_EQ(x.grad().item(), 2);
  EXPECT_FALSE(constant.grad().defined());
  constant.set_requires_grad(false);
  EXPECT_FALSE(checkpoint(f, {constant, Tensor(), constant})[0].requires_grad());

  // The leaf is frozen before backward, so it gets no gradient, as in a stored graph.
  const Tensor z = checkpoint([](const Tensors& t) { return Tensors{exp(t[0])}; }, {x})[0];
  x.set_grad({});
  x.set_requires_grad(false);
  backward(z);
  EXPECT_FALSE(x.grad().defined());
}

TEST(Checkpoint, OfCapturedParameters) {
  const Tensor x = leaf(3.0), w = leaf(5.0);
  const Tensor scaled = w * 2.0;
  // The parameters are listed, so that they get gradients, but the function captures them.
  const Tensor y =
      checkpoint([&](const Tensors& t) { return Tensors{t[0] * w * scaled}; }, {x, w, scaled})[0];
  backward(y);
  EXPECT_EQ(x.grad().item(), 50);
  EXPECT_EQ(w.grad().item(), 3 * 4 * 5);
}

TEST(Checkpoint, WhatIsNotListedIsAnError) {
  const Tensor x = leaf(3.0), w = leaf(5.0);
  const Tensor scaled = w * 2.0;
  const auto text = [](const char* what) {
    return concat_text("checkpoint: the function uses ", what,
                       " that takes part in differentiation but is not among the inputs, so its "
                       "gradient would be lost; list it there, or detach it");
  };
  const auto error = [&](const Function& f) {
    const Tensor y = checkpoint(f, {x})[0];
    return test::error_of([&] { backward(y); });
  };
  EXPECT_EQ(error([&](const Tensors& t) { return Tensors{exp(t[0]) * w}; }), text("a leaf"));
  EXPECT_EQ(error([&](const Tensors& t) { return Tensors{exp(scaled + t[0])}; }),
            text("a result of affine"));
  EXPECT_EQ(error([&](const Tensors&) { return Tensors{w}; }), text("a leaf"));
  // This also holds for a checkpoint inside: it lists a tensor that the outer one does not.
  EXPECT_EQ(error([&](const Tensors& t) {
              return checkpoint([&](const Tensors& u) { return Tensors{u[0] * w}; }, {t[0], w});
            }),
            text("a leaf"));
  EXPECT_EQ(test::error_of([&] {
              checkpoint([&](const Tensors& t) { return Tensors{t[0] * w}; }, {x.detach()});
            }),
            "checkpoint: the function uses a tensor that takes part in differentiation, but none "
            "of the inputs does; list it there, or detach it");
  EXPECT_FALSE(x.grad().defined());
  EXPECT_FALSE(w.grad().defined());
  const Tensor fine =
      checkpoint([&](const Tensors& t) { return Tensors{t[0] * scaled.detach()}; }, {x})[0];
  backward(fine);
  EXPECT_EQ(x.grad().item(), 10);
}

TEST(Checkpoint, InsideAnother) {
  Counted inner, middle, outer;
  const Tensor x = leaf(0.7), w = leaf(1.3);
  const auto loss = [&](bool checkpointed) {
    const Function f = inner.of([](const Tensors& t) { return Tensors{exp(sin(t[0] * t[1]))}; });
    const Function g = middle.of([=](const Tensors& t) {
      const Tensor y = run(checkpointed, f, t)[0];
      return Tensors{run(checkpointed, f, {y, t[1]})[0] * t[1]};
    });
    const Function h = outer.of([=](const Tensors& t) {
      return Tensors{run(checkpointed, g, {run(checkpointed, g, t)[0], t[1]})[0] + t[0]};
    });
    return run(checkpointed, h, {x, w})[0];
  };
  const Tensors stored = grad({loss(false)}, {x, w});
  inner.calls = middle.calls = outer.calls = 0;
  expect_equal_bits(grad({loss(true)}, {x, w}), stored);
  EXPECT_EQ(outer.calls, 2);
  EXPECT_EQ(middle.calls, 2 * 3);  // in forward, in the outer replay, in its own replay
  EXPECT_EQ(inner.calls, 4 * 4);
}

TEST(Checkpoint, IsWalkedAgainWhenRetained) {
  Counted counted;
  const Tensor x = leaf(2.0);
  const Tensor y =
      checkpoint(counted.of([](const Tensors& t) { return Tensors{square(t[0])}; }), {x})[0];
  backward(y, {}, {.retain_graph = true});
  backward(y, {}, {.retain_graph = true});
  EXPECT_EQ(x.grad().item(), 8);
  backward(y);
  EXPECT_EQ(x.grad().item(), 12);
  EXPECT_EQ(counted.calls, 4);
  EXPECT_EQ(test::error_of([&] { backward(y); }),
            "checkpoint: the graph was freed by an earlier backward; pass retain_graph to that one "
            "to walk it again");
}

TEST(Checkpoint, HasDerivativesOfAnyOrder) {
  const auto derivatives = [](bool checkpointed) {
    const Tensor x = leaf({0.7, -0.2}), w = leaf({1.1, 0.4});
    const Function f = [](const Tensors& t) { return Tensors{exp(sin(t[0] * t[1])) * t[0]}; };
    const Tensor y = sum(run(checkpointed, f, {run(checkpointed, f, {x, w})[0], w})[0]);
    const BackwardOptions create{.create_graph = true};
    const Tensors first = grad({y}, {x, w}, {}, create);
    const Tensors second = grad({sum(square(first[0]) + first[1])}, {x, w}, {}, create);
    const Tensors third = grad({sum(second[0] * second[1])}, {x, w});
    return std::vector{first, second, third};
  };
  const auto stored = derivatives(false), recomputed = derivatives(true);
  expect_equal_bits(recomputed[0], stored[0]);
  for (std::size_t order : {1, 2})
    for (std::size_t i : {0, 1})
      EXPECT_LT(test::relative_error(recomputed[order][i], stored[order][i]), 1e-14)
          << order << ' ' << i;
}

// Sets about half of the values to zero.
Function dropout(Generator& generator) {
  return [&generator](const Tensors& t) {
    const Tensor noise = ops::uniform(generator, t[0].shape(), t[0].dtype());
    const Tensor half = Tensor::full(t[0].shape(), 0.5, t[0].dtype());
    return Tensors{where(greater(noise, half), t[0], t[0] * 0.0)};
  };
}

TEST(Checkpoint, DrawsTheSameNumbersAgain) {
  const Tensor x = leaf(Values(257, 0.4));
  const auto gradients = [&](bool checkpointed) {
    Generator generator{11, 5};
    const Function drop = dropout(generator);
    const Function twice = [&](const Tensors& t) {
      return run(checkpointed, drop, {exp(run(checkpointed, drop, t, &generator)[0])}, &generator);
    };
    const Tensor y = run(checkpointed, twice, {x}, &generator)[0];
    EXPECT_NE(generator, (Generator{11, 5}));
    const Generator after = generator;
    generator.next();
    const Generator now = generator;
    const Tensors result = grad({sum(square(y))}, {x});
    EXPECT_EQ(generator, now);
    return Tensors{y.detach(), result[0], Tensor::scalar(static_cast<double>(after.offset))};
  };
  expect_equal_bits(gradients(true), gradients(false));
}

TEST(Checkpoint, AFailureInsideLeavesEverythingUsable) {
  Generator generator{1};
  const Tensor x = leaf({1, 2});
  const Function drop = dropout(generator);
  bool broken = false;
  const Tensor y = checkpoint(
      [&](const Tensors& t) {
        const Tensors result = drop(t);
        check(!broken, "drop: nothing today");
        return result;
      },
      {x}, &generator)[0];
  const Generator before = generator;
  broken = true;
  EXPECT_EQ(test::error_of([&] { backward(sum(y), {}, {.retain_graph = true}); }),
            "drop: nothing today");
  EXPECT_EQ(generator, before);
  EXPECT_TRUE(grad_enabled());
  EXPECT_FALSE(x.grad().defined());
  EXPECT_EQ(
      test::error_of([&] { checkpoint([&](const Tensors&) -> Tensors { fail("no"); }, {x}); }),
      "no");
  EXPECT_TRUE(grad_enabled());
}

TEST(Checkpoint, NoticesAnotherResult) {
  const Tensor x = leaf({1, 2, 3});
  std::int64_t length = 3;
  std::size_t count = 1;
  const Function f = [&](const Tensors& t) { return Tensors(count, narrow(t[0], 0, 0, length)); };
  const Tensor y = sum(checkpoint(f, {x})[0]);
  length = 2;
  EXPECT_EQ(test::error_of([&] { backward(y, {}, {.retain_graph = true}); }),
            "checkpoint: output 0 was [3] at first and is [2] when evaluated again");
  count = 2;
  EXPECT_EQ(test::error_of([&] { backward(y); }),
            "checkpoint: the function returned 1 outputs at first and 2 when evaluated again");
}

TEST(Checkpoint, IsJustTheFunctionWithoutGradMode) {
  const NoGrad guard;
  Counted counted;
  const Tensor x = leaf(2.0), w = leaf(3.0);
  const Function f = counted.of([&](const Tensors& t) { return Tensors{t[0] * w}; });
  const Tensor y = checkpoint(f, {x})[0];
  EXPECT_EQ(y.item(), 6);
  EXPECT_FALSE(y.requires_grad());
  EXPECT_EQ(counted.calls, 1);
}

// Bytes alive in a chain of `segments` times `length` sines, each of which keeps its input: after
// forward (without the result), at the peak of backward, and afterwards.
struct Held {
  double forward, peak, after;
};
Held held_by_chain(int segments, int length, bool checkpointed, BackwardOptions options = {}) {
  constexpr std::size_t one = 1 << 18;
  const std::size_t start = allocator({}).stats().live;
  const auto tensors = [&](std::size_t bytes) {
    return static_cast<double>(bytes - start) / static_cast<double>(one);
  };
  const Tensor x = Tensor::zeros({one / 4}).set_requires_grad();
  const Function segment = [length](const Tensors& t) {
    Tensor y = t[0];
    for (int i = 0; i < length; ++i) y = sin(y);
    return Tensors{y};
  };
  Held held{};
  {
    Tensor y = x;
    for (int i = 0; i < segments; ++i) y = run(checkpointed, segment, {y})[0];
    const Tensor loss = sum(y);
    y = {};
    held.forward = tensors(allocator({}).stats().live);
    allocator({}).reset_peak();
    backward(loss, {}, options);
    held.peak = tensors(allocator({}).stats().peak);
  }
  held.after = tensors(allocator({}).stats().live);
  return held;
}

TEST(Checkpoint, KeepsTheInputsOfItsSegmentsOnly) {
  constexpr double slack = 0.1;  // for scalars and rounded sizes
  const Held stored = held_by_chain(8, 8, false);
  EXPECT_NEAR(stored.forward, 64, slack);
  const Held held = held_by_chain(8, 8, true);
  EXPECT_NEAR(held.forward, 8, slack);
  // The peak is in the last segment. Alive are the 8 inputs of the segments, 7 more inputs of sines
  // (the first sine's input is that of the segment), a cosine, and its product with the incoming
  // gradient, which is one expanded number. In an earlier segment the incoming gradient is a whole
  // tensor, but there is one segment less.
  EXPECT_NEAR(held.peak, 8 + 7 + 2, slack);
  EXPECT_NEAR(held.after, 2, slack);  // x and its gradient
  // A deeper chain needs one more tensor per segment.
  EXPECT_NEAR(held_by_chain(16, 8, true).peak, 16 + 7 + 2, slack);
  // With retain_graph, the inputs of segments stay alive, but not their inside.
  EXPECT_NEAR(held_by_chain(8, 8, true, {.retain_graph = true}).peak, 8 + 7 + 3, slack);
}

TEST(Checkpoint, LeavesNothingBehind) {
  const std::size_t start = allocator({}).stats().live;
  {
    const Tensor x = leaf(0.5);
    Tensor y = x;
    for (int i = 0; i < 20'000; ++i)
      y = checkpoint([](const Tensors& t) { return Tensors{sin(t[0])}; }, {y})[0];
    const Tensor dx = grad({y}, {x}, {}, {.create_graph = true})[0];
    EXPECT_TRUE(dx.requires_grad());
  }
  EXPECT_EQ(allocator({}).stats().live, start);
}

}  // namespace
}  // namespace mini
