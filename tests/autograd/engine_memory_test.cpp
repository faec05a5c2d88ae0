// What a graph keeps and for how long, and how much memory backward needs.
#include "autograd/engine.h"
#include "autograd/functions.h"
#include "tensor/view.h"
#include "tests/support/support.h"

namespace mini {
namespace {

using Values = std::vector<double>;

Tensor leaf(const Values& values, const Shape& shape) {
  return Tensor::from(values, shape).set_requires_grad();
}

std::size_t live_bytes() { return allocator({}).stats().live; }

constexpr int chain_length = 100'000;

Tensor long_chain(const Tensor& x) {
  Tensor y = x;
  for (int i = 0; i < chain_length; ++i) y = affine(y, 1, 0.5);
  return y;
}

TEST(Memory, LongChainsNeitherOverflowTheStackNorLeak) {
  const std::size_t start = live_bytes();
  {
    const Tensor x = leaf({1}, {});
    const Tensor y = long_chain(x);
    EXPECT_EQ(y.item(), 1 + chain_length / 2);
    backward(y);
    EXPECT_EQ(x.grad().item(), 1);
  }
  EXPECT_EQ(live_bytes(), start);
  {
    const Tensor abandoned = long_chain(leaf({1}, {}));  // never walked
  }
  EXPECT_EQ(live_bytes(), start);
  {
    // The graph of the gradient is equally deep and refers to the first one.
    const Tensor x = leaf({1}, {});
    Tensor y = x;
    for (int i = 0; i < chain_length; ++i) y = sin(y);
    const Tensor dx = grad({y}, {x}, {}, {.create_graph = true})[0];
    EXPECT_TRUE(dx.requires_grad());
  }
  EXPECT_EQ(live_bytes(), start);
}

TEST(Memory, EveryTensorIsFreedAtItsLastUse) {
  const std::size_t one = 1 << 20;
  const std::size_t start = live_bytes();
  constexpr int depth = 20;
  const Tensor x = Tensor::zeros({static_cast<std::int64_t>(one / 4)}).set_requires_grad();
  Tensor y = x;
  for (int i = 0; i < depth; ++i) y = sin(y);  // each node holds its input
  const Tensor loss = sum(y);
  y = {};
  const std::size_t forward = live_bytes() - start;
  EXPECT_LE(forward, (depth + 1) * one + 4096);
  allocator({}).reset_peak();
  backward(loss);
  // At the peak, the incoming gradient, cos(x) and the product of both are added.
  EXPECT_LE(allocator({}).stats().peak - start, forward + 2 * one + 4096);
  // x and its gradient remain.
  EXPECT_LE(live_bytes() - start, 2 * one + 4096);
}

TEST(Memory, GradientsThatMeetAreAddedInPlace) {
  const std::size_t one = 1 << 20;
  const Tensor x = Tensor::zeros({static_cast<std::int64_t>(one / 4)}).set_requires_grad();
  Tensor loss;
  {
    const Tensor y = neg(x), a = neg(y), b = neg(neg(y));  // a's gradient comes last
    loss = sum(a + b);
  }
  const std::size_t start = live_bytes();
  allocator({}).reset_peak();
  backward(loss);
  // At most two are alive: the gradient that y has so far, and the one added to it.
  EXPECT_EQ(allocator({}).stats().peak - start, 2 * one + 64);  // and the initial 1
  EXPECT_EQ(live_bytes() - start, one);

  // A second backward adds to the gradient in place.
  const std::byte* const place = x.grad().raw_data();
  allocator({}).reset_peak();
  backward(sum(neg(x)));
  EXPECT_EQ(x.grad().raw_data(), place);
  EXPECT_EQ(live_bytes() - start, one);
}

// The bytes that the graph of f(x, w) keeps alive, besides x, w and the result.
template <class F>
std::size_t kept(const Tensor& x, const Tensor& w, F f) {
  const std::size_t start = live_bytes();
  Tensor product;
  {
    const Tensor left = x.requires_grad() ? neg(x) : ops::clone(x);  // no other handle holds these
    const Tensor right = w.requires_grad() ? neg(w) : ops::clone(w);
    product = f(left, right);
  }
  return live_bytes() - start - product.bytes();
}

TEST(Memory, AFactorIsKeptOnlyForTheGradientOfTheOther) {
  const auto value = [](const Shape& shape, bool trained) {
    return Tensor::zeros(shape).set_requires_grad(trained);
  };
  const Conv2dParams same_size{.padding = {1, 1}};
  const auto convolve = [&](const Tensor& a, const Tensor& b) {
    return conv2d(a, b, {}, same_size);
  };
  const auto transposed = [&](const Tensor& a, const Tensor& b) {
    return conv_transpose2d(a, b, {}, same_size);
  };
  const auto weight_gradient = [&](const Tensor& a, const Tensor& b) {
    return conv2d_weight_gradient(a, b, {4, 4, 3, 3}, same_size);
  };
  const auto multiply = [](const Tensor& a, const Tensor& b) { return a * b; };
  const auto matrices = [](const Tensor& a, const Tensor& b) { return matmul(a, b); };
  const auto expect = [&](const Shape& x, const Shape& w, auto f) {
    const std::size_t x_bytes = Tensor::empty(x).bytes(), w_bytes = Tensor::empty(w).bytes();
    EXPECT_EQ(kept(value(x, true), value(w, true), f), x_bytes + w_bytes);
    EXPECT_EQ(kept(value(x, true), value(w, false), f), w_bytes);
    EXPECT_EQ(kept(value(x, false), value(w, true), f), x_bytes);
  };
  allocator({}).trim();  // so that blocks have the size requested
  expect({2, 4, 16, 16}, {4, 4, 3, 3}, convolve);
  expect({2, 4, 16, 16}, {4, 4, 3, 3}, transposed);
  expect({2, 4, 16, 16}, {2, 4, 16, 16}, weight_gradient);
  expect({64, 32}, {32, 128}, matrices);
  expect({64, 32}, {1, 32}, multiply);
  const auto divide = [](const Tensor& a, const Tensor& b) { return a / b; };
  EXPECT_EQ(kept(value({64, 32}, true), value({1, 32}, false), divide), 128u);
}

TEST(Memory, AnActivationIsKeptOnce) {
  const Tensor x = Tensor::zeros({2, 4, 16, 16}).set_requires_grad();
  const Tensor w = Tensor::zeros({4, 4, 3, 3}).set_requires_grad();
  const Conv2dParams same_size{.padding = {1, 1}};
  for (const double slope : {0.0, 0.2}) {
    const std::size_t start = live_bytes();
    const auto activation = [&](const Tensor& z) {
      return slope > 0 ? leaky_relu(z, slope) : relu(z);
    };
    Tensor y = x;
    for (int layer = 0; layer < 3; ++layer) y = activation(conv2d(y, w, {}, same_size));
    EXPECT_EQ(live_bytes() - start, 3 * x.bytes());
  }
  // If the slope is not positive, the sign of the result is not that of x.
  const Tensor v = leaf({-2, -1, 3}, {3});
  for (const double slope : {0.0, -0.5}) {
    const Tensor dv = grad({leaky_relu(v, slope)}, {v}, {Tensor::ones({3}, DType::float64)})[0];
    EXPECT_EQ(dv.to_vector(), (Values{slope, slope, 1}));
  }
}

TEST(Memory, NothingIsKeptWithoutGradients) {
  const std::size_t start = live_bytes();
  const Tensor x = Tensor::zeros({1024});
  Tensor y = x;
  for (int i = 0; i < 10; ++i) y = sin(y);
  EXPECT_EQ(live_bytes() - start, 2 * 4096u);
}

}  // namespace
}  // namespace mini
