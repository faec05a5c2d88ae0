// SAIN that is told the quality of the codec: what depends on it and what does not, and that every way to
// run it agrees.
#include "autograd/engine.h"
#include "autograd/functions.h"
#include "infer/scaler.h"
#include "models/invertible/strips.h"
#include "models/registry.h"
#include "models/sain/sain.h"
#include "tensor/allocator.h"
#include "tensor/view.h"
#include "tests/support/golden.h"
#include "tests/support/support.h"

namespace mini::models {
namespace {

constexpr SainOptions told{2, 2, 1, 8, Condition::quality}, untold{2, 2, 1, 8};

class ConditionTest : public testing::Test {
 protected:
  ConditionTest() { test::set_golden_weights(network_); }

  Generator generator_{3};
  Sain network_{told, generator_};
  Tensor hr_ = ops::uniform(generator_, {2, 3, 24, 20}),
         lr_ = ops::uniform(generator_, {2, 3, 12, 10});
};

TEST_F(ConditionTest, QualityDecidesTheLargeImageAndNotTheSmallOne) {
  const NoGrad no_grad;
  EXPECT_TRUE(network_.has_condition());
  network_.to(DType::float64);
  EXPECT_EQ(network_.condition({0, 50, 100}).to_vector(), (std::vector<double>{1, 0.5, 0}));
  network_.to(DType::float32);
  EXPECT_FALSE(
      test::equal_bits(network_.upscale(lr_, nullptr, 30), network_.upscale(lr_, nullptr, 90)));
  const auto lr_at = [&](int quality) {
    return network_.forward(hr_, false, network_.condition({quality})).lr;
  };
  EXPECT_TRUE(test::equal_bits(lr_at(30), lr_at(90)));
  EXPECT_TRUE(test::equal_bits(quantise(lr_at(30)), network_.downscale(hr_)));
}

TEST_F(ConditionTest, InverseUndoesForwardAtTheSameQuality) {
  const NoGrad no_grad;
  network_.to(DType::float64);
  const Tensor x = ops::cast(hr_, DType::float64), condition = network_.condition({30, 90});
  const Tensor out = network_.forward(x, false, condition).out;
  EXPECT_LT(test::relative_error(network_.inverse(out, false, condition).out, x), 1e-12);
  EXPECT_GT(test::relative_error(network_.inverse(out, false, network_.condition({50})).out, x),
            1e-6);
}

// Each image has its own quality.
TEST_F(ConditionTest, ABatchIsItsImages) {
  const NoGrad no_grad;
  const Tensor z = Tensor::zeros({2, 9, 12, 10}), y = concat({lr_, z}, 1);
  const Tensor both = network_.inverse(y, false, network_.condition({30, 90})).out;
  for (const std::int64_t i : {0, 1})
    EXPECT_TRUE(test::equal_bits(
        contiguous(narrow(both, 0, i, 1)),
        contiguous(network_.upscale(contiguous(narrow(lr_, 0, i, 1)), nullptr, i == 0 ? 30 : 90))));
}

TEST_F(ConditionTest, MemoryModesGiveTheSameBits) {
  const Tensor condition = network_.condition({30, 90}), z = Tensor::zeros({2, 9, 12, 10});
  std::vector<Tensors> gradients;
  for (const MemoryMode memory : {MemoryMode::stored, MemoryMode::exact, MemoryMode::checkpoint}) {
    network_.set_memory(memory);
    network_.zero_grad();
    const FlowResult down = network_.forward(hr_, false, condition);
    const Tensor up = network_.inverse(concat({quantise(down.lr), z}, 1), false, condition).out;
    backward(l1_loss(up, hr_) + l2_loss(down.out, Tensor::zeros(down.out.shape())));
    gradients.emplace_back();
    for (const auto& [name, tensor] : network_.named_parameters())
      if (tensor.grad().defined()) gradients.back().push_back(tensor.grad());
  }
  ASSERT_EQ(gradients[0].size(), network_.named_parameters().size() - 1);  // all but the mixture's
  for (const Tensors& other : {gradients[1], gradients[2]}) {
    ASSERT_EQ(other.size(), gradients[0].size());
    for (std::size_t i = 0; i < other.size(); ++i)
      EXPECT_TRUE(test::equal_bits(other[i], gradients[0][i])) << i;
  }
}

TEST_F(ConditionTest, StripsHaveTheBitsOfTheWholeAndTheirMemory) {
  const NoGrad no_grad;
  network_.set_requires_grad(false);
  const Tensor lr = ops::uniform(generator_, {1, 3, 40, 32});
  const Tensor whole = network_.upscale(lr, nullptr, 40);
  Allocator& memory = allocator({});
  for (const std::int64_t rows : {2, 7, 16}) {
    const auto stream =
        network_.stream(Rescaling::upscale, lr.shape(), DType::float32, nullptr, 40);
    Tensors parts;
    memory.reset_peak();
    const std::size_t before = memory.stats().live;
    for (std::int64_t y = 0; y < 40; y += rows)
      if (Tensor part = stream->push(contiguous(narrow(lr, 2, y, std::min(rows, 40 - y))));
          part.defined())
        parts.push_back(std::move(part));
    EXPECT_LE(memory.stats().peak - before,
              strip_memory(network_, Rescaling::upscale, lr.shape(), DType::float32, rows) +
                  static_cast<std::size_t>(whole.numel()) * sizeof(float));
    EXPECT_TRUE(test::equal_bits(contiguous(concat(parts, 2)), contiguous(whole))) << rows;
  }
}

TEST_F(ConditionTest, WeightsShowIt) {
  const NetworkConfig config = recognise_network(network_.state_dict());
  EXPECT_EQ(config.options<SainOptions>().condition, Condition::quality);
  EXPECT_EQ(
      recognise_network(Sain(untold, generator_).state_dict()).options<SainOptions>().condition,
      Condition::none);
}

// Training may go on with a condition from weights that were trained without.
TEST_F(ConditionTest, WeightsWithoutItGetZerosForIt) {
  const NoGrad no_grad;
  Sain plain(untold, generator_);
  test::set_golden_weights(plain);
  network_.load_state_dict(network_.translate(plain.state_dict()));
  for (const int quality : {1, 75, 100})
    EXPECT_LT(test::relative_error(network_.upscale(lr_, nullptr, quality), plain.upscale(lr_)),
              1e-5);
  EXPECT_LT(test::max_difference(network_.downscale(hr_), plain.downscale(hr_)), 1.5 / 255);
}

// It is off unless asked for, and then nothing is other than it was.
TEST_F(ConditionTest, WithoutItQualityMeansNothing) {
  const NoGrad no_grad;
  Sain plain(untold, generator_);
  test::set_golden_weights(plain);
  EXPECT_FALSE(plain.has_condition());
  EXPECT_FALSE(plain.condition({30}).defined());
  EXPECT_TRUE(test::equal_bits(plain.upscale(lr_, nullptr, 30), plain.upscale(lr_)));
}

// The large image depends on the quality that the file shows.
TEST_F(ConditionTest, RoundTripsReadItOffTheFile) {
  network_.set_requires_grad(false);
  const auto scaler = infer::network_scaler(network_);
  const Tensor image = io::to_image(contiguous(narrow(hr_, 0, 0, 1)));
  const infer::RoundTrip trip = infer::round_trip(*scaler, image, io::ImageFormat::jpeg, 40);
  EXPECT_TRUE(test::equal_bits(trip.hr, scaler->upscale(trip.decoded, 40)));
  EXPECT_FALSE(test::equal_bits(trip.hr, scaler->upscale(trip.decoded)));
}

}  // namespace
}  // namespace mini::models
