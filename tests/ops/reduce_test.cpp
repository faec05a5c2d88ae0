// Reductions against plain loops, in every memory order and at every thread count.
#include "ops/reduce.h"

#include <cmath>
#include <gtest/gtest.h>
#include <vector>

#include "tensor/parallel.h"
#include "tensor/random.h"
#include "tensor/view.h"
#include "tests/support/support.h"

namespace mini {
namespace {

Tensor random(const Shape& shape, DType dtype = DType::float32, std::uint64_t seed = 1) {
  Generator generator{seed, 0};
  return ops::normal(generator, shape, dtype);
}

// The sum or maximum over the dimensions flagged in `dims`, element by element in double.
Tensor plain_reduce(Reduction op, const Tensor& x, const std::vector<int>& dims) {
  const Shape kept = ops::reduced_shape(x.shape(), dims, true, "test");
  Tensor y = Tensor::full(kept, op == Reduction::sum ? 0 : -INFINITY, DType::float64);
  const Shape strides = contiguous_strides(x.shape()), out = contiguous_strides(kept);
  const auto values = x.to_vector();
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    std::int64_t k = 0;
    for (int d = 0; d < x.rank(); ++d)
      if (kept[d] != 1) k += i / strides[d] % x.shape()[d] * out[d];
    double& target = y.data<double>()[k];
    const double value = values[static_cast<std::size_t>(i)];
    target = op == Reduction::sum ? target + value : std::max(target, value);
  }
  return y;
}

void expect_reductions(const Tensor& x, const std::vector<int>& dims) {
  for (const Reduction op : {Reduction::sum, Reduction::max}) {
    const Tensor expected = plain_reduce(op, x, dims);
    const Tensor kept = ops::reduce(op, x, dims, true);
    EXPECT_EQ(kept.shape(), expected.shape());
    EXPECT_LT(test::max_difference(ops::cast(kept, DType::float64), expected), 1e-4);
    const Tensor dropped = ops::reduce(op, x, dims);
    EXPECT_EQ(dropped.shape(), ops::reduced_shape(x.shape(), dims, false, "test"));
    EXPECT_TRUE(test::equal_bits(ops::reshape(dropped, kept.shape()), kept));
  }
}

TEST(Reduce, MatchesPlainLoopsOverAnyDimensions) {
  const Tensor x = random({3, 5, 7, 4});
  const Tensor last = ops::channels_last(x);
  const Tensor part = ops::narrow(random({3, 9, 7, 4}), 1, 2, 5);
  const Tensor turned = ops::transpose(random({4, 5, 7, 3}), 0, 3);
  for (unsigned mask = 0; mask < 16; ++mask) {
    std::vector<int> dims;
    for (int d = 0; d < 4; ++d)
      if ((mask >> d & 1u) != 0) dims.push_back(d);
    for (const Tensor& operand : {x, last, part, turned}) {
      SCOPED_TRACE(concat_text("mask ", mask, " strides ", operand.strides()));
      expect_reductions(operand, dims);
    }
  }
}

TEST(Reduce, HandlesExtentsAroundTheKernelsBlocks) {
  for (const std::int64_t n : {1, 2, 63, 64, 65, 1000, 40000})
    for (const std::int64_t inner : {1, 3, 63, 65}) {
      SCOPED_TRACE(concat_text(n, " rows of ", inner));
      expect_reductions(random({2, n, inner}), {1});
    }
  expect_reductions(random({2, 40, 1300}), {1});
  expect_reductions(ops::channels_last(random({2, 105, 24, 24})), {0, 2, 3});
}

TEST(Reduce, ResultOfNoReductionIsACopy) {
  const Tensor x = random({1, 4});
  const int dim = 0;
  const Tensor y = ops::sum(x, {&dim, 1});
  EXPECT_NE(y.raw_data(), x.raw_data());
  EXPECT_EQ(y.to_vector(), x.to_vector());
}

TEST(Reduce, SumsFloatsToTheLastBit) {
  // The sum of ten million times 0.1f: a float32 accumulator would be wrong by several percent.
  const Tensor x = Tensor::full({10'000'000}, 0.1);
  const double exact = static_cast<double>(0.1f) * 1e7;
  EXPECT_EQ(ops::sum(x).item(), static_cast<double>(static_cast<float>(exact)));
}

TEST(Reduce, HasTheSameBitsAtAnyThreadCount) {
  const Tensor flat = random({1'000'003}, DType::float64), image = random({4, 6, 65, 129});
  const std::vector<int> dims{0, 2, 3};
  const int before = max_threads();
  std::vector<Tensor> totals, biases;
  for (const int threads : {1, 2, 3}) {
    set_threads(threads);
    totals.push_back(ops::sum(flat));
    biases.push_back(ops::sum(ops::channels_last(image), dims));
  }
  set_threads(before);
  for (std::size_t i = 1; i < totals.size(); ++i) {
    EXPECT_TRUE(test::equal_bits(totals[0], totals[i]));
    EXPECT_TRUE(test::equal_bits(biases[0], biases[i]));
  }
}

TEST(Reduce, OfNothing) {
  EXPECT_EQ(ops::sum(Tensor::empty({0})).item(), 0);
  const int dim = 1;
  EXPECT_EQ(ops::sum(Tensor::empty({2, 0}), {&dim, 1}).to_vector(), (std::vector<double>{0, 0}));
  EXPECT_EQ(ops::amax(Tensor::empty({0, 3}), 1).shape(), Shape({0}));
  EXPECT_EQ(test::error_of([] {
              ops::amax(Tensor::empty({2, 0}), 1);
            }),
            "amax: no elements to take the maximum of (x=[2,0])");
}

TEST(Reduce, RefusesBadDimensions) {
  const std::vector<int> twice{1, -1};
  EXPECT_NE(test::error_of([&] {
              ops::sum(Tensor::ones({2, 2}), twice);
            }).find("named twice"),
            std::string::npos);
  const std::vector<int> outside{2};
  EXPECT_NE(test::error_of([&] {
              ops::sum(Tensor::ones({2, 2}), outside);
            }).find("sum"),
            std::string::npos);
}

TEST(Reduce, MaximumKeepsNaN) {
  const Tensor x = Tensor::from(std::vector<float>{1, NAN, 3, -1, -2, -INFINITY}, {2, 3});
  const auto y = ops::amax(x, 1).to_vector();
  EXPECT_TRUE(std::isnan(y[0]));
  EXPECT_EQ(y[1], -1);
}

TEST(Argmax, FindsTheFirstOfEquals) {
  const Tensor x = Tensor::from(std::vector<float>{1, 5, 5, 7, 2, 7, 0, NAN, 9}, {3, 3});
  EXPECT_EQ(ops::argmax(x, 1).to_vector(), (std::vector<double>{1, 0, 1}));
  EXPECT_EQ(ops::argmax(x, -2).to_vector(), (std::vector<double>{1, 2, 2}));
  EXPECT_EQ(ops::argmax(ops::transpose(x, 0, 1), 0).to_vector(), (std::vector<double>{1, 0, 1}));
}

TEST(Softmax, MatchesItsDefinitionAlongAnyDimension) {
  const Tensor x = ops::channels_last(random({2, 5, 3, 4}, DType::float64));
  for (int dim = 0; dim < 4; ++dim) {
    const Tensor y = ops::softmax(x, dim), log_y = ops::softmax(x, dim, true);
    EXPECT_EQ(y.strides(), x.strides());
    const auto values = x.to_vector(), got = y.to_vector(), log_got = log_y.to_vector();
    const Shape strides = contiguous_strides(x.shape());
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto position = static_cast<std::int64_t>(i);
      const std::int64_t first = position - position / strides[dim] % x.shape()[dim] * strides[dim];
      double total = 0;
      for (std::int64_t k = 0; k < x.shape()[dim]; ++k)
        total += std::exp(values[static_cast<std::size_t>(first + k * strides[dim])]);
      EXPECT_NEAR(got[i], std::exp(values[i]) / total, 1e-14);
      EXPECT_NEAR(log_got[i], values[i] - std::log(total), 1e-14);
    }
  }
}

TEST(Softmax, SurvivesLargeValues) {
  const Tensor x = Tensor::from(std::vector<float>{1000, 1000, -1000}, {3});
  EXPECT_EQ(ops::softmax(x, 0).to_vector(), (std::vector<double>{0.5, 0.5, 0}));
}

TEST(SumTo, UndoesBroadcasting) {
  const Tensor x = random({2, 3, 4});
  EXPECT_TRUE(test::equal_bits(ops::sum_to(x, {}), ops::sum(x)));
  const Tensor y = ops::sum_to(x, {3, 1});
  EXPECT_EQ(y.shape(), Shape({3, 1}));
  EXPECT_LT(test::max_difference(ops::reshape(ops::cast(y, DType::float64), {1, 3, 1}),
                                 plain_reduce(Reduction::sum, x, {0, 2})),
            1e-5);
  EXPECT_NE(test::error_of([&] { ops::sum_to(x, {2, 1}); }).find("sum_to"), std::string::npos);
}

TEST(OneHot, MarksTheLabel) {
  const Tensor labels = Tensor::from(std::vector<std::int64_t>{2, 0}, {2});
  EXPECT_EQ(ops::one_hot(labels, 3).to_vector(), (std::vector<double>{0, 0, 1, 1, 0, 0}));
  EXPECT_EQ(test::error_of([&] { ops::one_hot(labels, 2); }), "one_hot: label 2 is not in 0..1");
}

}  // namespace
}  // namespace mini
