#include "train/optimizer.h"

#include <cmath>

#include "tensor/parallel.h"
#include "tensor/random.h"
#include "tensor/view.h"
#include "tests/support/support.h"

namespace mini::train {
namespace {

Tensor parameter_of(const std::vector<double>& values) {
  Tensor x = Tensor::from(values, {static_cast<std::int64_t>(values.size())});
  x.set_requires_grad();
  return x;
}

// The formula of ops/optimizer.h for one number.
struct PlainAdam {
  AdamOptions options;
  double m = 0, v = 0;
  int t = 0;
  double step(double w, double g, double lr) {
    ++t;
    if (options.decoupled)
      w -= lr * options.weight_decay * w;
    else
      g += options.weight_decay * w;
    m = options.beta1 * m + (1 - options.beta1) * g;
    v = options.beta2 * v + (1 - options.beta2) * g * g;
    const double m_hat = m / (1 - std::pow(options.beta1, t));
    const double v_hat = v / (1 - std::pow(options.beta2, t));
    return w - lr * m_hat / (std::sqrt(v_hat) + options.eps);
  }
};

TEST(Adam, FollowsTheFormula) {
  for (const bool decoupled : {false, true}) {
    const AdamOptions options{.eps = 1e-3, .weight_decay = 0.1, .decoupled = decoupled};
    Tensor w = parameter_of({0.5, -2, 0});
    Adam adam({{"w", w}}, options);
    std::vector<PlainAdam> plain(3, PlainAdam{options});
    std::vector<double> expected = w.to_vector();
    for (int k = 0; k < 6; ++k) {
      const std::vector<double> g = {std::sin(k + 1.0), 1e-3 * k, -4};
      const double lr = 0.01 / (k + 1);
      w.set_grad(Tensor::from(g, {3}));
      adam.step(lr);
      for (std::size_t i = 0; i < 3; ++i) expected[i] = plain[i].step(expected[i], g[i], lr);
      for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(w.to_vector()[i], expected[i], 1e-14);
    }
  }
}

TEST(Adam, SkipsParametersWithoutAGradient) {
  Tensor used = parameter_of({1}), unused = parameter_of({1});
  Adam adam({{"used", used}, {"unused", unused}}, {.weight_decay = 0.5});
  used.set_grad(Tensor::from(std::vector<double>{3}, {1}));
  adam.step(0.1);
  EXPECT_NEAR(used.item(), 0.9, 1e-8);
  EXPECT_EQ(unused.item(), 1);
  EXPECT_EQ(adam.state().at("used.step").item(), 1);
  EXPECT_EQ(adam.state().at("unused.step").item(), 0);
}

TEST(Adam, TakesGradientsOfAnyMemoryOrder) {
  const auto run = [](bool strided) {
    Generator generator{3};
    Tensor w = ops::normal(generator, {4, 3, 3, 3});
    w.set_requires_grad();
    Adam adam({{"w", w}}, {});
    for (int k = 0; k < 3; ++k) {
      const Tensor g = ops::normal(generator, {4, 3, 3, 3});
      w.set_grad(strided ? ops::channels_last(g) : g);
      adam.step(0.1);
    }
    w.set_grad(ops::expand(Tensor::full({1}, 0.25), w.shape()));
    adam.step(0.1);
    return w;
  };
  EXPECT_TRUE(test::equal_bits(run(false), run(true)));
}

TEST(Adam, ContinuesFromItsStateBitForBit) {
  const auto gradient = [](int k) {
    Generator generator{static_cast<std::uint64_t>(k)};
    return ops::normal(generator, {5});
  };
  Tensor a = Tensor::ones({5}).set_requires_grad(), b = Tensor::ones({5}).set_requires_grad();
  Adam straight({{"w", a}}, {}), first({{"w", b}}, {}), second({{"w", b}}, {});
  for (int k = 0; k < 6; ++k) {
    a.set_grad(gradient(k));
    b.set_grad(gradient(k));
    straight.step(0.1);
    if (k == 3) second.load_state(first.state());
    (k < 3 ? first : second).step(0.1);
  }
  EXPECT_TRUE(test::equal_bits(a, b));
}

TEST(Adam, RefusesTheStateOfAnotherNetwork) {
  Adam adam({{"w", parameter_of({1, 2})}}, {});
  auto state = adam.state();
  state.erase("w.mean");
  EXPECT_EQ(test::error_of([&] { adam.load_state(state); }),
            "adam: the saved state has no w.mean; it belongs to another network");
  state = adam.state();
  state["v.mean"] = Tensor::zeros({2});
  EXPECT_EQ(test::error_of([&] { adam.load_state(state); }),
            "adam: the saved state has v.mean, which this network does not have");
  state = adam.state();
  state["w.mean"] = Tensor::zeros({3});
  EXPECT_EQ(test::error_of([&] { adam.load_state(state); }),
            "adam: w.mean is float64[2] here and float32[3] in the saved state");
}

TEST(Adam, RefusesImpossibleOptions) {
  EXPECT_EQ(test::error_of([] { Adam({}, {.beta1 = 1}); }),
            "adam: betas must be in [0,1), got 1 and 0.999");
}

TEST(GradientNorm, IsThatOfAllGradientsTogether) {
  Tensor a = parameter_of({0}), b = parameter_of({0, 0}), without = parameter_of({0});
  EXPECT_EQ(gradient_norm({a, b, without}), 0);
  a.set_grad(Tensor::from(std::vector<double>{3}, {1}));
  b.set_grad(Tensor::from(std::vector<double>{4, 0}, {2}));
  EXPECT_DOUBLE_EQ(gradient_norm({a, b, without}), 5);
  EXPECT_EQ(clip_factor(5, 10), 1);
  EXPECT_DOUBLE_EQ(clip_factor(5, 2), 2 / (5 + 1e-6));
}

TEST(GradientNorm, ClippedGradientsAreThoseMultipliedByTheFactor) {
  Tensor a = parameter_of({0.5, -2}), b = parameter_of({0.5, -2});
  Adam clipped({{"w", a}}, {}), plain({{"w", b}}, {});
  for (int k = 1; k < 4; ++k) {
    a.set_grad(Tensor::from(std::vector<double>{3.0 * k, 4}, {2}));
    b.set_grad(Tensor::from(std::vector<double>{3.0 * k * 0.25, 1}, {2}));
    clipped.step(0.1, 0.25);
    plain.step(0.1);
  }
  EXPECT_TRUE(test::equal_bits(a, b));
}

TEST(GradientNorm, IsTheSameAtAnyThreadCount) {
  Generator generator{1};
  Tensor x = Tensor::zeros({100'003}).set_requires_grad();
  x.set_grad(ops::normal(generator, x.shape()));
  const int threads = max_threads();
  set_threads(1);
  const double one = gradient_norm({x});
  set_threads(3);
  const double three = gradient_norm({x});
  set_threads(threads);
  EXPECT_EQ(one, three);
  EXPECT_NEAR(one, std::sqrt(100'003.0), 2);
}

TEST(GradientNorm, ReportsWhatIsNotFinite) {
  Tensor x = parameter_of({0});
  x.set_grad(Tensor::from(std::vector<double>{NAN}, {1}));
  EXPECT_TRUE(std::isnan(gradient_norm({x})));
}

}  // namespace
}  // namespace mini::train
