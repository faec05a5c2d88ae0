// Layers, BatchNorm, Sequential, PyTorch's default values, and tables of names.
#include "nn/layers.h"

#include <cmath>
#include <map>

#include "autograd/engine.h"
#include "autograd/functions.h"
#include "nn/batch_norm.h"
#include "nn/init.h"
#include "nn/key_table.h"
#include "nn/sequential.h"
#include "tensor/view.h"
#include "tests/support/support.h"

namespace mini {
namespace {

Tensor random(const Shape& shape, std::uint64_t seed = 1) {
  Generator generator{seed};
  return ops::normal(generator, shape, DType::float64);
}

std::vector<std::string> names(const nn::Module& module) {
  std::vector<std::string> result;
  for (const auto& [name, tensor] : module.state_dict()) result.push_back(name);
  return result;
}

TEST(Layers, GoWithoutABiasIfAsked) {
  nn::Conv2d conv(2, 3, 1, {}, nn::Bias::no);
  nn::Linear linear(2, 3, nn::Bias::no);
  nn::ConvTranspose2d up(2, 3, 2, {.stride = {2, 2}}, {0, 0}, nn::Bias::no);
  for (const nn::Module* layer : std::initializer_list<const nn::Module*>{&conv, &linear, &up})
    EXPECT_EQ(names(*layer), std::vector<std::string>{"weight"});
  ops::fill(conv.weight.detach(), 2);
  EXPECT_EQ(conv(Tensor::ones({1, 2, 1, 1})).to_vector(), std::vector<double>(3, 4));
}

TEST(Layers, ConvTranspose2dIsTheAdjointOfConv2d) {
  const Conv2dParams params{.stride = {2, 2}, .padding = {1, 1}};
  nn::ConvTranspose2d up(2, 3, 3, params, {1, 1});
  nn::Conv2d down(3, 2, 3, params, nn::Bias::no);
  up.to(DType::float64);
  down.to(DType::float64);
  ops::copy(random({2, 3, 3, 3}), up.weight.detach());
  ops::copy(up.weight.detach(), down.weight.detach());
  ops::fill(up.bias.detach(), 0.5);
  const Tensor small = random({1, 2, 4, 5}, 2), large = random({1, 3, 8, 10}, 3);
  EXPECT_EQ(up(small).shape(), large.shape());
  EXPECT_NEAR(sum((up(small) - 0.5) * large).item(), sum(small * down(large)).item(), 1e-12);
}

TEST(Layers, PReluHasOneSlopeOrOneForEachChannel) {
  nn::PRelu shared, each(2);
  const Tensor x = Tensor::from(std::vector<float>{-4, 4, -8, 8}, {1, 2, 1, 2});
  EXPECT_EQ(shared(x).to_vector(), (std::vector<double>{-1, 4, -2, 8}));
  ops::fill(ops::narrow(each.weight.detach(), 0, 1, 1), 2);
  EXPECT_EQ(each(x).to_vector(), (std::vector<double>{-1, 4, -16, 8}));
  backward(sum(shared(x)));
  EXPECT_EQ(shared.weight.grad().to_vector(), std::vector<double>{-12});
}

TEST(Sequential, NumbersItsLayersAndRunsThemInOrder) {
  nn::Sequential layers;
  layers.append<nn::Conv2d>(1, 4, 1);
  layers.append<nn::LeakyRelu>(0.5);
  nn::Sequential& inner = layers.append<nn::Sequential>();
  inner.append<nn::PixelShuffle>(2);
  inner.append<nn::Conv2d>(1, 1, 1);
  EXPECT_EQ(names(layers),
            (std::vector<std::string>{"0.bias", "0.weight", "2.1.bias", "2.1.weight"}));
  ops::copy(Tensor::from(std::vector<float>{1, -1, 2, -2}, {4, 1, 1, 1}),
            layers.state_dict().at("0.weight"));
  ops::fill(layers.state_dict().at("2.1.weight"), 10);
  EXPECT_EQ(layers(Tensor::ones({1, 1, 1, 1})).to_vector(), (std::vector<double>{10, -5, 20, -10}));
}

// ── BatchNorm ────────────────────────────────────────────────────────────────────────────────────
struct Moments {
  double mean = 0, square = 0;
};

// Of each channel of x [N,C,..], with plain loops.
std::vector<Moments> moments(const Tensor& x) {
  const auto values = x.to_vector();
  const auto channels = static_cast<std::size_t>(x.size(1));
  const std::size_t plane = values.size() / static_cast<std::size_t>(x.size(0)) / channels;
  std::vector<Moments> result(channels);
  const double count = static_cast<double>(values.size() / channels);
  for (std::size_t i = 0; i < values.size(); ++i)
    result[i / plane % channels].mean += values[i] / count;
  for (std::size_t i = 0; i < values.size(); ++i) {
    Moments& m = result[i / plane % channels];
    m.square += (values[i] - m.mean) * (values[i] - m.mean) / count;
  }
  return result;
}

TEST(BatchNorm, NormalisesTheBatchAndFollowsItWhileTraining) {
  for (const Shape& shape : {Shape{6, 3}, Shape{2, 3, 4, 5}}) {
    nn::BatchNorm norm(3, 1e-5, 0.25);
    norm.to(DType::float64);
    ops::fill(norm.weight.detach(), 2);
    ops::fill(norm.bias.detach(), 7);
    const Tensor x = random(shape) * 3.0 + 1.0;
    const auto before = moments(x), after = moments(norm(x));
    const double count = static_cast<double>(shape.numel() / 3);
    for (std::size_t c = 0; c < 3; ++c) {
      EXPECT_NEAR(after[c].mean, 7, 1e-12);
      EXPECT_NEAR(after[c].square, 4 * before[c].square / (before[c].square + 1e-5), 1e-12);
      EXPECT_NEAR(norm.running_mean.to_vector()[c], 0.25 * before[c].mean, 1e-12);
      EXPECT_NEAR(norm.running_var.to_vector()[c],
                  0.75 + 0.25 * before[c].square * count / (count - 1), 1e-12);
    }
    norm.set_training(false);
    const auto mean = norm.running_mean.to_vector(), var = norm.running_var.to_vector();
    const auto y = norm(x).to_vector(), values = x.to_vector();
    EXPECT_NEAR(y[0], 2 * (values[0] - mean[0]) / std::sqrt(var[0] + 1e-5) + 7, 1e-12);
    EXPECT_EQ(norm.running_mean.to_vector(), mean) << "only training moves it";
  }
}

TEST(BatchNorm, HasTheGradientOfDifferences) {
  for (const bool training : {true, false}) {
    nn::BatchNorm norm(2);
    norm.to(DType::float64);
    norm.set_training(training);
    const Tensor probe = random({3, 2, 2, 2}, 5);
    const auto loss = [&](const Tensor& x) { return sum(norm(x) * probe); };
    Tensor x = random({3, 2, 2, 2});
    x.set_requires_grad();
    // Evaluation must see the same running values in every call.
    const Tensor gradient = grad({loss(x)}, {x})[0];
    for (const std::int64_t i : {0, 7, 23}) {
      Tensor high = ops::clone(x.detach()), low = ops::clone(x.detach());
      high.data<double>()[i] += 1e-5;
      low.data<double>()[i] -= 1e-5;
      EXPECT_NEAR(gradient.to_vector()[static_cast<std::size_t>(i)],
                  (loss(high).item() - loss(low).item()) / 2e-5, 1e-8);
    }
  }
}

TEST(BatchNorm, HasPyTorchsStateAndSaysWhatItNeeds) {
  const nn::BatchNorm norm(2);
  EXPECT_EQ(names(norm), (std::vector<std::string>{"bias", "num_batches_tracked", "running_mean",
                                                   "running_var", "weight"}));
  EXPECT_EQ(test::error_of([&] {
              norm(Tensor::ones({1, 2}));
            }),
            "batch_norm: training needs more than one value per channel, got [1,2]; use a larger "
            "batch");
  EXPECT_EQ(test::error_of([&] {
              norm(Tensor::ones({4, 3}));
            }),
            "batch_norm: needs [N,2,..], got [4,3]");
}

// ── Initial values ───────────────────────────────────────────────────────────────────────────────
TEST(Init, DefaultsArePyTorchs) {
  nn::Sequential layers;
  layers.append<nn::Conv2d>(16, 32, 3);
  layers.append<nn::PRelu>(32);
  layers.append<nn::Linear>(100, 50);
  Generator generator{3};
  nn::initialise_as_pytorch(layers, generator);
  const std::map<std::string, double> bounds{
      {"0.weight", 1.0 / 12}, {"0.bias", 1.0 / 12}, {"2.weight", 0.1}, {"2.bias", 0.1}};
  for (const auto& [name, tensor] : layers.named_parameters()) {
    if (name == "1.weight") {
      EXPECT_EQ(tensor.to_vector(), std::vector<double>(32, 0.25));
      continue;
    }
    double largest = 0, square = 0;
    for (const double value : tensor.to_vector()) {
      largest = std::max(largest, std::abs(value));
      square += value * value;
    }
    const double bound = bounds.at(name), count = static_cast<double>(tensor.numel());
    EXPECT_LE(largest, bound * (1 + 1e-6)) << name;
    EXPECT_GT(largest, 0.8 * bound) << name;
    EXPECT_NEAR(std::sqrt(square / count), bound / std::sqrt(3), 0.25 * bound) << name;
  }
}

TEST(Init, KaimingNormalHasItsVariance) {
  Generator generator{3};
  double square = 0;
  const Tensor w = nn::kaiming_normal({64, 32, 3, 3}, 0.1, generator);
  for (const double value : w.to_vector()) square += value * value;
  const double expected = 0.1 * std::sqrt(2.0 / (32 * 9));
  EXPECT_NEAR(std::sqrt(square / static_cast<double>(w.numel())), expected, 0.02 * expected);
}

TEST(Init, OrthogonalRowsAreUnitVectorsAtRightAngles) {
  Generator generator{3};
  const Tensor q = nn::orthogonal(21, generator);
  const auto product = matmul(q, transpose(q, 0, 1)).to_vector();
  for (std::size_t i = 0; i < product.size(); ++i)
    EXPECT_NEAR(product[i], i % 22 == 0 ? 1 : 0, 1e-6);
}

// ── Names ────────────────────────────────────────────────────────────────────────────────────────
TEST(KeyTable, TranslatesNumbersInOrderAndLeavesTheRest) {
  const nn::KeyTable table({{"last", "trunk.3"}, {"body.#.rdb#", "trunk.#.sub.RDB#"}});
  EXPECT_EQ(table.to_ours("trunk.12.sub.RDB3.weight"), "body.12.rdb3.weight");
  EXPECT_EQ(table.to_theirs("body.12.rdb3.weight"), "trunk.12.sub.RDB3.weight");
  EXPECT_EQ(table.to_ours("trunk.3.bias"), "last.bias");
  for (const char* other : {"trunk.33.bias", "trunk.x.sub.RDB1", "trunk", "xtrunk.3"})
    EXPECT_EQ(table.to_ours(other), other);
}

TEST(KeyTable, RefusesAWeightInTwoSpellings) {
  const nn::KeyTable table({{"first", "conv_first"}, {"last", "conv_last"}});
  EXPECT_EQ(test::error_of([&] {
              table.to_ours(nn::StateDict{{"first.bias", Tensor::zeros({1})},
                                          {"conv_first.bias", Tensor::zeros({1})}});
            }),
            "weights: first.bias is there in two spellings");
}

}  // namespace
}  // namespace mini
