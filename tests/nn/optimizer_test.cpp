// The optimisers against their formulas, written plainly for one number, and against golden values in
// tests/golden; states; the norm of the gradient.
#include "nn/optimizer.h"

#include <cmath>

#include "tensor/parallel.h"
#include "tensor/random.h"
#include "tensor/view.h"
#include "tests/support/support.h"

namespace mini::nn {
namespace {

Tensor parameter_of(const std::vector<double>& values) {
  Tensor x = Tensor::from(values, {static_cast<std::int64_t>(values.size())});
  x.set_requires_grad();
  return x;
}

// The formula of ops/optimizer.h for one number, written plainly.
struct PlainAdam {
  OptimizerOptions options;
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
    const OptimizerOptions options{.eps = 1e-3, .weight_decay = 0.1, .decoupled = decoupled};
    Tensor w = parameter_of({0.5, -2, 0});
    const auto adam = make_optimizer({{"w", w}}, options);
    std::vector<PlainAdam> plain(3, PlainAdam{options});
    std::vector<double> expected = w.to_vector();
    for (int k = 0; k < 6; ++k) {
      const std::vector<double> g = {std::sin(k + 1.0), 1e-3 * k, -4};
      const double lr = 0.01 / (k + 1);
      w.set_grad(Tensor::from(g, {3}));
      adam->step(lr);
      for (std::size_t i = 0; i < 3; ++i) expected[i] = plain[i].step(expected[i], g[i], lr);
      for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(w.to_vector()[i], expected[i], 1e-14);
    }
  }
}

TEST(Adam, SkipsParametersWithoutAGradient) {
  Tensor used = parameter_of({1}), unused = parameter_of({1});
  const auto adam = make_optimizer({{"used", used}, {"unused", unused}}, {.weight_decay = 0.5});
  used.set_grad(Tensor::from(std::vector<double>{3}, {1}));
  adam->step(0.1);
  EXPECT_NEAR(used.item(), 0.9, 1e-8);
  EXPECT_EQ(unused.item(), 1);
  EXPECT_EQ(adam->state().at("used.step").item(), 1);
  EXPECT_EQ(adam->state().at("unused.step").item(), 0);
}

TEST(Adam, TakesGradientsOfAnyMemoryOrder) {
  const auto run = [](bool strided) {
    Generator generator{3};
    Tensor w = ops::normal(generator, {4, 3, 3, 3});
    w.set_requires_grad();
    const auto adam = make_optimizer({{"w", w}}, {});
    for (int k = 0; k < 3; ++k) {
      const Tensor g = ops::normal(generator, {4, 3, 3, 3});
      w.set_grad(strided ? ops::channels_last(g) : g);
      adam->step(0.1);
    }
    w.set_grad(ops::expand(Tensor::full({1}, 0.25), w.shape()));
    adam->step(0.1);
    return w;
  };
  EXPECT_TRUE(test::equal_bits(run(false), run(true)));
}

// The formulas of nn/optimizer.h for one row of numbers after the other, whose gradients are given
// without their mean.
struct PlainRanger {
  OptimizerOptions options;
  double slow, m = 0, v = 0;
  int t = 0;
  double step(double w, double g, double lr) {
    ++t;
    w -= lr * options.weight_decay * w;
    m = options.beta1 * m + (1 - options.beta1) * g;
    v = options.beta2 * v + (1 - options.beta2) * g * g;
    const double power = std::pow(options.beta2, t), bias = 1 - std::pow(options.beta1, t);
    const double all = 2 / (1 - options.beta2) - 1, r = all - 2 * t * power / (1 - power);
    if (r > 5)
      w -= lr * std::sqrt((1 - power) * (r - 4) * (r - 2) * all / ((all - 4) * (all - 2) * r)) /
           bias * m / (std::sqrt(v) + options.eps);
    else
      w -= lr / bias * m;
    if (t % options.lookahead_steps == 0) w = slow = slow + options.lookahead_pull * (w - slow);
    return w;
  }
};

TEST(Ranger, FollowsTheFormula) {
  const OptimizerOptions options{.type = OptimizerType::ranger,
                                 .beta1 = 0.95,
                                 .eps = 1e-5,
                                 .weight_decay = 0.1,
                                 .lookahead_steps = 4,
                                 .lookahead_pull = 0.3};
  std::vector<double> expected{0.5, -2, 0, 1, 3, -0.25};
  Tensor w = Tensor::from(expected, {2, 3}).set_requires_grad();
  Tensor b = parameter_of({0.5, -2});  // of one dimension: its gradient keeps its mean
  std::vector<double> expected_b = b.to_vector();
  const auto ranger = make_optimizer({{"w", w}, {"b", b}}, options);
  std::vector<PlainRanger> plain, plain_b;
  for (const double value : expected) plain.push_back({options, value});
  for (const double value : expected_b) plain_b.push_back({options, value});
  for (int k = 0; k < 15; ++k) {  // rectified from the sixth step on
    std::vector<double> g(6), g_b{std::cos(1.0 * k), 0.3};
    for (std::size_t i = 0; i < 6; ++i) g[i] = std::sin(1.7 * k + static_cast<double>(i * i));
    w.set_grad(Tensor::from(g, {2, 3}));
    b.set_grad(Tensor::from(g_b, {2}));
    const double lr = 0.1 / (k + 1);
    ranger->step(lr, 0.5);
    for (std::size_t i = 0; i < 6; ++i) {
      const std::size_t row = i / 3 * 3;
      const double mean = (g[row] + g[row + 1] + g[row + 2]) / 3;
      expected[i] = plain[i].step(expected[i], 0.5 * (g[i] - mean), lr);
    }
    for (std::size_t i = 0; i < 2; ++i)
      expected_b[i] = plain_b[i].step(expected_b[i], 0.5 * g_b[i], lr);
    for (std::size_t i = 0; i < 6; ++i) EXPECT_NEAR(w.to_vector()[i], expected[i], 1e-9) << k;
    for (std::size_t i = 0; i < 2; ++i) EXPECT_NEAR(b.to_vector()[i], expected_b[i], 1e-9) << k;
  }
}

TEST(Sgd, FollowsTheFormula) {
  const OptimizerOptions options{.type = OptimizerType::sgd, .weight_decay = 0.1, .momentum = 0.8};
  Tensor w = parameter_of({0.5, -2});
  std::vector<double> expected = w.to_vector(), moved(2);
  const auto sgd = make_optimizer({{"w", w}}, options);
  for (int k = 0; k < 5; ++k) {
    const std::vector<double> g{std::sin(k + 1.0), -4};
    w.set_grad(Tensor::from(g, {2}));
    sgd->step(0.1, 0.5);
    for (std::size_t i = 0; i < 2; ++i) {
      moved[i] = 0.8 * moved[i] + 0.5 * g[i] + 0.1 * expected[i];
      expected[i] -= 0.1 * moved[i];
      EXPECT_NEAR(w.to_vector()[i], expected[i], 1e-14);
    }
  }
}

class AnyOptimizer : public testing::TestWithParam<OptimizerType> {};

TEST_P(AnyOptimizer, ContinuesFromItsStateBitForBit) {
  const auto gradient = [](int k) {
    Generator generator{static_cast<std::uint64_t>(k)};
    return ops::normal(generator, {5, 2});
  };
  const OptimizerOptions options{.type = GetParam()};
  Tensor a = Tensor::ones({5, 2}).set_requires_grad(), b = Tensor::ones({5, 2}).set_requires_grad();
  const auto straight = make_optimizer({{"w", a}}, options),
             first = make_optimizer({{"w", b}}, options),
             second = make_optimizer({{"w", b}}, options);
  for (int k = 0; k < 14; ++k) {
    a.set_grad(gradient(k));
    b.set_grad(gradient(k));
    straight->step(0.1);
    if (k == 8) second->load_state(first->state());
    (k < 8 ? first : second)->step(0.1);
  }
  EXPECT_TRUE(test::equal_bits(a, b));
}

INSTANTIATE_TEST_SUITE_P(Types, AnyOptimizer,
                         testing::Values(OptimizerType::adam, OptimizerType::adamw,
                                         OptimizerType::sgd, OptimizerType::ranger));

TEST(Adam, RefusesTheStateOfAnotherNetwork) {
  const auto adam = make_optimizer({{"w", parameter_of({1, 2})}}, {});
  auto state = adam->state();
  state.erase("w.mean");
  EXPECT_EQ(test::error_of([&] { adam->load_state(state); }),
            "optimizer: the saved state has no w.mean; it belongs to another network or another "
            "optimiser");
  state = adam->state();
  state["v.mean"] = Tensor::zeros({2});
  EXPECT_EQ(test::error_of([&] { adam->load_state(state); }),
            "optimizer: the saved state has v.mean, which this network or this optimiser does not "
            "have");
  state = adam->state();
  state["w.mean"] = Tensor::zeros({3});
  EXPECT_EQ(test::error_of([&] { adam->load_state(state); }),
            "optimizer: w.mean is float64[2] here and float32[3] in the saved state");
}

TEST(Adam, RefusesImpossibleOptions) {
  EXPECT_EQ(test::error_of([] { make_optimizer({}, {.beta1 = 1}); }),
            "optimizer: betas must be in [0,1), got 1 and 0.999");
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
  const auto clipped = make_optimizer({{"w", a}}, {}), plain = make_optimizer({{"w", b}}, {});
  for (int k = 1; k < 4; ++k) {
    a.set_grad(Tensor::from(std::vector<double>{3.0 * k, 4}, {2}));
    b.set_grad(Tensor::from(std::vector<double>{3.0 * k * 0.25, 1}, {2}));
    clipped->step(0.1, 0.25);
    plain->step(0.1);
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
}  // namespace mini::nn
