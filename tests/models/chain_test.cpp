// Chains of coupling layers: exact mode restores every bit, all modes give the same gradients.
#include "models/invertible/chain.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "autograd/engine.h"
#include "autograd/functions.h"
#include "autograd/node.h"
#include "ops/correction.h"
#include "tensor/parallel.h"
#include "tensor/view.h"
#include "tests/autograd/numeric_gradient.h"

namespace mini::models {
namespace {

using Kind = Coupling::Kind;

// Equal bits, but any NaN equals any other.
void expect_same(const Tensor& a, const Tensor& b) {
  ASSERT_EQ(a.defined(), b.defined());
  if (!a.defined()) return;
  ASSERT_EQ(a.shape(), b.shape());
  ASSERT_EQ(a.dtype(), b.dtype());
  const std::vector<double> x = a.to_vector(), y = b.to_vector();
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (std::isnan(x[i]) && std::isnan(y[i])) continue;
    ASSERT_EQ(std::bit_cast<std::uint64_t>(x[i]), std::bit_cast<std::uint64_t>(y[i]))
        << x[i] << " and " << y[i] << " at " << i;
  }
}

template <class F>
void expect_error(const F& f, const std::string& text) {
  EXPECT_NE(test::error_of(f).find(text), std::string::npos) << text;
}

// A chain of all kinds of layers, whose subnets are dense blocks with one hidden convolution.
struct Network {
  std::vector<Coupling> chain;
  Tensors parameters;

  Network(int layers, std::int64_t c1, std::int64_t c2, double size, DType dtype) {
    std::uint64_t seed = 1;
    const auto parameter = [&](const Shape& shape) {
      parameters.push_back(test::random(shape, seed++, dtype));
      ops::copy(affine(parameters.back(), size, 0), parameters.back());
      return parameters.back().set_requires_grad();
    };
    const auto subnet = [&](std::int64_t in, std::int64_t out) {
      const Tensors weights{parameter({5, in, 3, 3}), parameter({out, in + 5, 3, 3})};
      const Tensors biases{parameter({5}), parameter({out})};
      return Subnet{[=](const Tensor& x) { return dense_block(x, weights, biases, 0.2); },
                    {weights[0], weights[1], biases[0], biases[1]},
                    2};
    };
    constexpr Kind kinds[] = {Kind::add, Kind::scale, Kind::subtract, Kind::unscale};
    for (int k = 0; k < layers; ++k) {
      const Kind kind = kinds[(k + k / 4) % 4];
      const int changed = k % 2;
      const std::int64_t in = changed == 0 ? c2 : c1, out = changed == 0 ? c1 : c2;
      Coupling layer{kind, changed, {subnet(in, out)}};
      if (kind == Kind::scale || kind == Kind::unscale) layer.subnets.push_back(subnet(in, out));
      chain.push_back(layer);
    }
  }
};

struct Outcome {
  ChainResult result;
  Tensors gradients;  // of x1, x2 and the parameters
};

// A loss that uses both results and the tap.
Outcome run(const Network& network, const Tensor& x1, const Tensor& x2, MemoryMode memory,
            std::optional<Tap> tap = std::nullopt) {
  Tensor a = x1.detach(), b = x2.detach();
  a.set_requires_grad();
  b.set_requires_grad();
  Outcome run{run_chain(network.chain, a, b, {.memory = memory, .tap = tap}), {}};
  Tensor loss = sum(square(run.result.x1)) + sum(sigmoid(run.result.x2));
  if (tap) loss = loss + sum(square(run.result.tapped)) * 0.5 + sum(run.result.tapped);
  Tensors wanted{a, b};
  wanted.insert(wanted.end(), network.parameters.begin(), network.parameters.end());
  run.gradients = grad({loss}, wanted);
  return run;
}

void expect_same_runs(const Outcome& a, const Outcome& b) {
  expect_same(a.result.x1, b.result.x1);
  expect_same(a.result.x2, b.result.x2);
  expect_same(a.result.tapped, b.result.tapped);
  ASSERT_EQ(a.gradients.size(), b.gradients.size());
  for (std::size_t i = 0; i < a.gradients.size(); ++i) {
    SCOPED_TRACE(concat_text("gradient ", i));
    expect_same(a.gradients[i], b.gradients[i]);
  }
}

class Chains : public testing::TestWithParam<DType> {
 protected:
  Tensor image(std::int64_t channels, std::uint64_t seed) const {
    return test::random({2, channels, 6, 7}, seed, GetParam());
  }
};

TEST_P(Chains, ExactEqualsStoredInEveryBit) {
  for (const int layers : {1, 2, 3, 4, 9, 20}) {
    const Network network(layers, 3, 4, 0.1, GetParam());
    const Tensor x1 = image(3, 50), x2 = image(4, 51);
    for (std::size_t at = 0; at <= network.chain.size(); at += 3)
      for (const int half : {0, 1}) {
        SCOPED_TRACE(concat_text(layers, " layers, tap behind ", at, " on half ", half));
        const Tap tap{at, half};
        const Outcome stored = run(network, x1, x2, MemoryMode::stored, tap);
        expect_same_runs(run(network, x1, x2, MemoryMode::exact, tap), stored);
        expect_same_runs(run(network, x1, x2, MemoryMode::checkpoint, tap), stored);
      }
  }
}

TEST_P(Chains, ReversibleDiffersByRoundingOnly) {
  const Network network(20, 3, 4, 0.1, GetParam());
  const Tensor x1 = image(3, 50), x2 = image(4, 51);
  const Outcome stored = run(network, x1, x2, MemoryMode::stored);
  const Outcome reversible = run(network, x1, x2, MemoryMode::reversible);
  double largest = 0;
  for (std::size_t i = 0; i < stored.gradients.size(); ++i)
    largest = std::max(largest, test::relative_error(reversible.gradients[i], stored.gradients[i]));
  EXPECT_GT(largest, 0);  // otherwise the corrections would be useless
  // In float64 it is 610 times the machine epsilon, in float32 943 times.
  const double epsilon = GetParam() == DType::float64 ? std::numeric_limits<double>::epsilon()
                                                      : std::numeric_limits<float>::epsilon();
  EXPECT_LT(largest, 2000 * epsilon);
}

TEST_P(Chains, AdversarialInputs) {
  const Network network(8, 3, 4, 0.3, GetParam());
  const bool wide = GetParam() == DType::float64;
  const double huge = wide ? 1e300 : 1e37, tiny = wide ? 5e-324 : 1e-45;
  const double infinity = std::numeric_limits<double>::infinity();
  const std::vector<std::vector<double>> patterns = {
      {0.0},
      {0.0, -0.0},
      {tiny, -tiny, 3 * tiny},
      {huge, 1.0},
      {huge, -huge, tiny, 0.0, 1.0, -1e-20},
      {1.0, infinity},
      {0.5, -infinity, std::nan("")},
  };
  for (std::size_t p = 0; p < patterns.size(); ++p) {
    SCOPED_TRACE(concat_text("pattern ", p));
    Tensor x1 = image(3, 1), x2 = image(4, 2);
    visit_real(GetParam(), "test", [&](auto type) {
      using T = typename decltype(type)::type;
      for (const Tensor& x : {x1, x2})
        for (std::int64_t i = 0; i < x.numel(); ++i)
          x.data<T>()[i] =
              static_cast<T>(patterns[p][static_cast<std::size_t>(i) % patterns[p].size()]);
    });
    const Outcome stored = run(network, x1, x2, MemoryMode::stored, Tap{3, 0});
    expect_same_runs(run(network, x1, x2, MemoryMode::exact, Tap{3, 0}), stored);
  }
  // Both halves equal.
  const Network even(8, 3, 3, 0.3, GetParam());
  const Tensor x = image(3, 4);
  expect_same_runs(run(even, x, x, MemoryMode::exact), run(even, x, x, MemoryMode::stored));
}

TEST_P(Chains, ThreadsChangeNothing) {
  const Network network(8, 3, 4, 0.1, GetParam());
  const Tensor x1 = image(3, 50), x2 = image(4, 51);
  const Outcome many = run(network, x1, x2, MemoryMode::exact);
  const int before = max_threads();
  set_threads(1);
  const Outcome one = run(network, x1, x2, MemoryMode::exact);
  set_threads(before);
  expect_same_runs(one, many);
}

INSTANTIATE_TEST_SUITE_P(Real, Chains, testing::Values(DType::float32, DType::float64),
                         [](const auto& info) { return std::string(name_of(info.param)); });

TEST(Chain, InverseUndoesIt) {
  const NoGrad no_grad;
  const Network network(12, 3, 4, 0.1, DType::float64);
  const Tensor x1 = test::random({1, 3, 5, 4}, 1), x2 = test::random({1, 4, 5, 4}, 2);
  const ChainResult there = run_chain(network.chain, x1, x2, {.tap = Tap{5, 1}});
  const ChainResult back =
      run_chain(inverse(network.chain), there.x1, there.x2, {.tap = Tap{5, 1}.in_inverse(12)});
  EXPECT_LT(test::relative_error(back.x1, x1), 1e-12);
  EXPECT_LT(test::relative_error(back.x2, x2), 1e-12);
  EXPECT_LT(test::relative_error(back.tapped, there.tapped), 1e-12);
}

// The same network occurs twice in one graph; gradients add up over two backward calls.
TEST(Chain, SharedParametersAddUp) {
  std::vector<Tensors> gradients;
  for (const MemoryMode memory : {MemoryMode::exact, MemoryMode::stored}) {
    const Network network(6, 3, 4, 0.1, DType::float32);
    const Tensor x1 = test::random({1, 3, 5, 4}, 1, DType::float32);
    const Tensor x2 = test::random({1, 4, 5, 4}, 2, DType::float32);
    for (int i = 0; i < 2; ++i) {
      const ChainResult there = run_chain(network.chain, x1, x2, {.memory = memory});
      const ChainResult back =
          run_chain(inverse(network.chain), quantise(there.x1), there.x2 * 0.5, {.memory = memory});
      backward(sum(square(back.x1)) + sum(abs(back.x2)) + sum(there.x1));
    }
    Tensors& found = gradients.emplace_back();
    for (const Tensor& parameter : network.parameters) found.push_back(parameter.grad());
  }
  for (std::size_t i = 0; i < gradients[0].size(); ++i)
    expect_same(gradients[0][i], gradients[1][i]);
}

// Unused results, parameters without gradients, inputs without gradients.
TEST(Chain, PartialUse) {
  Network network(7, 3, 4, 0.1, DType::float32);
  for (std::size_t i = 0; i < network.parameters.size(); i += 3)
    network.parameters[i].set_requires_grad(false);
  const Tensor x1 = test::random({1, 3, 5, 4}, 1, DType::float32);
  const Tensor x2 = test::random({1, 4, 5, 4}, 2, DType::float32);
  Tensors wanted;
  for (const Tensor& parameter : network.parameters)
    if (parameter.requires_grad()) wanted.push_back(parameter);
  for (int use = 0; use < 3; ++use) {
    std::vector<Tensors> gradients;
    for (const MemoryMode memory : {MemoryMode::exact, MemoryMode::stored}) {
      const ChainResult result =
          run_chain(network.chain, x1, x2, {.memory = memory, .tap = Tap{4, 0}});
      const Tensor used = use == 0 ? result.x1 : use == 1 ? result.x2 : result.tapped;
      gradients.push_back(grad({sum(square(used))}, wanted));
    }
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      const Tensor &exact = gradients[0][i], &stored = gradients[1][i];
      SCOPED_TRACE(concat_text("use ", use, ", parameter ", i));
      expect_same(exact, stored);
    }
  }
}

TEST(Chain, GraphCanBeWalkedTwice) {
  const Network network(5, 3, 4, 0.1, DType::float32);
  const Tensor x1 = test::random({1, 3, 5, 4}, 1, DType::float32);
  const Tensor x2 = test::random({1, 4, 5, 4}, 2, DType::float32);
  const ChainResult result = run_chain(network.chain, x1, x2);
  const Tensor loss = sum(square(result.x1)) + sum(result.x2);
  const Tensors first = grad({loss}, network.parameters, {}, {.retain_graph = true});
  const Tensors second = grad({loss}, network.parameters);
  for (std::size_t i = 0; i < first.size(); ++i) expect_same(first[i], second[i]);
  expect_error([&] { grad({loss}, network.parameters); }, "freed by an earlier backward");
}

TEST(Chain, SecondDerivatives) {
  const Network network(3, 2, 2, 0.1, DType::float64);
  const Tensor x1 = test::random({1, 2, 3, 3}, 1);
  Tensor x2 = test::random({1, 2, 3, 3}, 2);
  x2.set_requires_grad();
  const auto second = [&](MemoryMode memory) {
    const ChainResult result = run_chain(network.chain, x1, x2, {.memory = memory});
    const Tensors first = grad({sum(square(result.x1))}, {x2}, {}, {.create_graph = true});
    return grad({sum(square(first[0]))}, {x2})[0];
  };
  EXPECT_LT(test::relative_error(second(MemoryMode::checkpoint), second(MemoryMode::stored)),
            1e-12);
  expect_error([&] { second(MemoryMode::exact); }, "has no second derivative");
  expect_error([&] { second(MemoryMode::reversible); }, "has no second derivative");
}

TEST(Chain, RefusesWhatIsNoLayer) {
  const Network network(4, 3, 4, 0.1, DType::float32);
  const Tensor x1 = Tensor::zeros({1, 3, 5, 4}), x2 = Tensor::zeros({1, 4, 5, 4});
  std::vector<Coupling> chain = network.chain;
  chain[1].subnets.pop_back();
  expect_error([&] { run_chain(chain, x1, x2); }, "run_chain: a layer changes half 0 or 1");
  expect_error(
      [&] {
        run_chain(network.chain, x1, x2, {.tap = Tap{5, 0}});
      },
      "a tap after 5 layers of 4");
}

TEST(Correction, BringsBackAnyBits) {
  // All pairs of some special values and their neighbours.
  std::vector<float> values{0.0f,   -0.0f,  1.0f,     -1.0f,     1e-45f, -1e-45f, 1e38f,
                            -1e38f, 1e-38f, INFINITY, -INFINITY, NAN,    -NAN,    0.1f};
  for (int i = 0; i < 5; ++i) values.push_back(std::nextafter(values[values.size() - 1], 2.0f));
  for (const int steps : {126, 127, 128, 129}) {
    values.push_back(std::bit_cast<float>(std::bit_cast<std::uint32_t>(1.0f) + unsigned(steps)));
    values.push_back(std::bit_cast<float>(std::bit_cast<std::uint32_t>(1.0f) - unsigned(steps)));
  }
  std::vector<float> left, right;
  while (left.size() < 40'000)  // several blocks
    for (const float a : values)
      for (const float b : values) {
        left.push_back(a);
        right.push_back(b);
      }
  const Shape shape{static_cast<std::int64_t>(left.size())};
  const Tensor x = Tensor::from(left, shape), estimate = Tensor::from(right, shape);
  const ops::Correction correction = ops::correction(x, estimate);
  const Tensor back = ops::corrected(estimate, correction);
  EXPECT_EQ(std::memcmp(back.data<float>(), x.data<float>(), x.bytes()), 0);
  EXPECT_EQ(std::memcmp(estimate.data<float>(), right.data(), x.bytes()), 0);  // unchanged
}

TEST(Correction, TakesAByteForWhatIsNear) {
  const Tensor x = test::random({3, 7, 11}, 1, DType::float32);
  const Tensor near = affine(x, 1 + 1e-6, 0);
  const ops::Correction correction = ops::correction(x, near);
  EXPECT_EQ(correction.codes.bytes(), static_cast<std::size_t>(x.numel()));
  EXPECT_EQ(correction.aside.numel(), 0);
  expect_error([&] { ops::correction(x, ops::cast(near, DType::float64)); }, "correction");
}

}  // namespace
}  // namespace mini::models
