// The memory modes on whole networks. They give the same bits as `stored`, and their memory is
// counted exactly.
#include <cmath>

#include "autograd/engine.h"
#include "autograd/functions.h"
#include "nn/optimizer.h"
#include "ops/elementwise.h"
#include "tensor/parallel.h"
#include "tensor/view.h"
#include "tests/support/golden.h"
#include "tests/support/networks.h"
#include "tests/support/support.h"

namespace mini {
namespace {

using Network = std::pair<const char*, std::int64_t>;  // name, scale

std::shared_ptr<models::InvertibleRescaler> make(const Network& network, std::int64_t blocks,
                                                 std::int64_t growth = 4) {
  Generator generator{5};
  return test::make_network(network.first, {network.second, blocks, blocks, growth}, generator);
}

// The total loss and the gradients of all parameters of one step.
Tensors step_gradients(const std::shared_ptr<models::InvertibleRescaler>& net, const Tensor& hr,
                       models::MemoryMode memory) {
  net->set_memory(memory);
  net->zero_grad();
  Generator noise{3};
  const Tensor reference = resize_bicubic(hr, 1.0 / static_cast<double>(net->scale()));
  const Tensor loss = test::losses_of(net, hr, reference, noise).total;
  backward(loss);
  Tensors result{loss.detach()};
  for (const Tensor& parameter : net->parameters()) result.push_back(parameter.grad());
  return result;
}

void expect_same_bits(const Tensors& a, const Tensors& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    ASSERT_EQ(a[i].defined(), b[i].defined()) << "gradient " << i;
    if (!a[i].defined()) continue;
    EXPECT_TRUE(test::equal_bits(a[i], b[i])) << "gradient " << i;
  }
}

void expect_exact_equals_stored(const std::shared_ptr<models::InvertibleRescaler>& net,
                                const Tensor& hr) {
  const Tensors stored = step_gradients(net, hr, models::MemoryMode::stored);
  expect_same_bits(step_gradients(net, hr, models::MemoryMode::exact), stored);
  expect_same_bits(step_gradients(net, hr, models::MemoryMode::checkpoint), stored);
}

class MemoryModes : public testing::TestWithParam<Network> {
 protected:
  MemoryModes() { set_threads(1); }  // the networks are too small for several threads
  ~MemoryModes() override { set_threads(threads_); }
  static Tensor image(std::int64_t batch, std::int64_t side, DType dtype = DType::float32) {
    Generator generator{7};
    return ops::uniform(generator, {batch, 3, side, side}, dtype);
  }

 private:
  int threads_ = max_threads();
};

TEST_P(MemoryModes, SameBitsAtTheStartAndWithAnyWeights) {
  const auto net = make(GetParam(), 3);
  expect_exact_equals_stored(net, image(2, 16));
  for (const double gain : {0.3, 1.0}) {
    test::set_golden_weights(*net, 0, gain);
    expect_exact_equals_stored(net, image(2, 16));
  }
  net->to(DType::float64);
  expect_exact_equals_stored(net, image(2, 16, DType::float64));
}

TEST_P(MemoryModes, SameBitsAfterTraining) {
  const auto net = make(GetParam(), 2);
  const Tensor hr = image(2, 16), reference = resize_bicubic(hr, 1.0 / double(net->scale()));
  const auto adam = nn::make_optimizer(net->named_parameters(), {});
  Generator noise{3};
  for (int step = 0; step < 200; ++step) {
    net->zero_grad();
    backward(test::losses_of(net, hr, reference, noise).total);
    adam->step(1e-3, nn::clip_factor(nn::gradient_norm(net->parameters()), 10));
  }
  expect_exact_equals_stored(net, hr);
}

TEST_P(MemoryModes, SameBitsFromAdversarialImages) {
  const auto net = make(GetParam(), 2);
  test::set_golden_weights(*net);
  const auto gradients = [&](const Tensor& x, models::MemoryMode memory) {
    net->set_memory(memory);
    net->zero_grad();
    const models::FlowResult down = net->forward(x);
    const models::FlowResult up = net->inverse(down.out * 0.5);
    backward(sum(up.out) + sum(sigmoid(up.lr)) + sum(down.lr) + sum(abs(down.out)));
    Tensors result;
    for (const Tensor& parameter : net->parameters()) result.push_back(parameter.grad());
    return result;
  };
  const Tensor noise = image(1, 16);
  for (const double size : {0.0, -0.0, 1e-45, 1e-38, 1e15, 1e30}) {
    SCOPED_TRACE(concat_text("images of size ", size));
    const Tensor x = noise * size;
    expect_same_bits(gradients(x, models::MemoryMode::exact),
                     gradients(x, models::MemoryMode::stored));
  }
}

TEST_P(MemoryModes, SameBitsThrough128Blocks) {
  const auto net = make(GetParam(), GetParam().first == std::string("sain") ? 64 : 128, 2);
  test::set_golden_weights(*net, 0, 0.3);
  expect_exact_equals_stored(net, image(1, 8));
}

// A value so near to 0 that rounding turns its sign takes the other slope of LeakyReLU, and then the
// gradients of its channel differ by more. That is rare: of three networks, one may have such a value.
TEST_P(MemoryModes, ReversibleDiffersByRoundingAtThePapersDepth) {
  for (const DType dtype : {DType::float64, DType::float32}) {
    const auto net = make(GetParam(), 0, 8);
    net->to(dtype);
    const Tensor hr = image(1, 32, dtype);
    std::array<double, 3> largest{};
    for (std::size_t seed = 0; seed < largest.size(); ++seed) {
      test::set_golden_weights(*net, seed, 0.3);
      const Tensors stored = step_gradients(net, hr, models::MemoryMode::stored);
      const Tensors reversible = step_gradients(net, hr, models::MemoryMode::reversible);
      for (std::size_t i = 0; i < stored.size(); ++i)
        if (stored[i].defined())
          largest[seed] = std::max(largest[seed], test::relative_error(reversible[i], stored[i]));
    }
    std::sort(largest.begin(), largest.end());
    EXPECT_GT(largest[0], 0);
    EXPECT_LT(largest[1], dtype == DType::float64 ? 1e-9 : 1e-5) << name_of(dtype);
  }
}

// The bytes that a step needs at its peak, besides those alive before it (gradients included).
std::size_t activation_peak(const std::shared_ptr<models::InvertibleRescaler>& net,
                            const Tensor& hr, models::MemoryMode memory) {
  allocator({}).trim();  // a block from the cache may be larger than what it is used for
  step_gradients(net, hr, memory);
  net->set_memory(memory);
  const Tensor reference = resize_bicubic(hr, 1.0 / static_cast<double>(net->scale()));
  Generator noise{3};
  allocator({}).reset_peak();
  const std::size_t before = allocator({}).stats().live;
  backward(test::losses_of(net, hr, reference, noise).total);
  return allocator({}).stats().peak - before;
}

TEST_P(MemoryModes, PeakGrowsAsDerived) {
  const Tensor hr = image(2, 16 * GetParam().second);
  const auto peak = [&](std::int64_t blocks, models::MemoryMode memory) {
    return static_cast<double>(activation_peak(make(GetParam(), blocks, 8), hr, memory));
  };
  // Nothing is kept, so four times as many blocks need no more memory.
  EXPECT_NEAR(peak(8, models::MemoryMode::reversible) / peak(2, models::MemoryMode::reversible), 1,
              0.05);

  // One byte per changed element, and a few elements stored aside. A vanilla block changes each
  // element once; an enhanced block changes the three image channels twice. A step passes each
  // block twice.
  const bool sain = GetParam().first == std::string("sain");
  const auto s2 = static_cast<double>(GetParam().second * GetParam().second);
  const auto elements = static_cast<double>(hr.numel());
  double changes = elements;  // for one more block of each kind
  if (sain) changes += elements + elements / s2;
  if (!sain && GetParam().second == 4) changes *= 2;  // for both levels
  const double grown = peak(8, models::MemoryMode::exact) - peak(2, models::MemoryMode::exact);
  EXPECT_GT(grown, 6 * 2 * changes);
  EXPECT_LT(grown, 6 * 2 * changes * 1.15);

  // For comparison, `stored` keeps the features of all subnets.
  EXPECT_GT(peak(8, models::MemoryMode::stored), 8 * peak(8, models::MemoryMode::exact));
  EXPECT_LT(peak(8, models::MemoryMode::checkpoint), peak(8, models::MemoryMode::stored) / 3);
}

INSTANTIATE_TEST_SUITE_P(Networks, MemoryModes,
                         testing::Values(Network{"sain", 2}, Network{"sain", 4}, Network{"irn", 2},
                                         Network{"irn", 4}),
                         [](const auto& info) {
                           return info.param.first + std::to_string(info.param.second);
                         });

}  // namespace
}  // namespace mini
