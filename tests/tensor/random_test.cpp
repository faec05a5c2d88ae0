// Philox against its published test vectors, and the distributions drawn from it.
#include "tensor/random.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "tensor/parallel.h"
#include "tensor/view.h"
#include "tests/support/support.h"

namespace mini {
namespace {

using Counter = std::array<std::uint32_t, 4>;

// Known-answer tests of the Random123 distribution (philox4x32, 10 rounds).
TEST(Philox, KnownAnswers) {
  constexpr std::uint32_t ones = 0xffffffff;
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}),
            (Counter{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox4x32({ones, ones, ones, ones}, {ones, ones}),
            (Counter{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Counter{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Generator, IsTheCounterAndTheSeed) {
  Generator random{0, 0};
  EXPECT_EQ(random.next(), philox4x32({0, 0, 0, 0}, {0, 0}));
  EXPECT_EQ(random.next(), philox4x32({1, 0, 0, 0}, {0, 0}));
  random = {0x299f31d0a4093822, 0xffffffff};
  EXPECT_EQ(random.next(), philox4x32({0xffffffff, 0, 0, 0}, {0xa4093822, 0x299f31d0}));
  EXPECT_EQ(random.next(), philox4x32({0, 1, 0, 0}, {0xa4093822, 0x299f31d0}));
}

TEST(Generator, SameStreamAtAnyThreadCount) {
  const int before = max_threads();
  for (const DType dtype : {DType::float32, DType::float64}) {
    Tensors first;
    for (const int threads : {1, 2, 3}) {
      set_threads(threads);
      Generator random{42, 0};
      const Tensors drawn{ops::uniform(random, {99991}, dtype),
                          ops::normal(random, {257, 173}, dtype),
                          ops::exponential(random, {50000}, dtype)};
      if (first.empty()) first = drawn;
      for (std::size_t i = 0; i < drawn.size(); ++i)
        EXPECT_TRUE(test::equal_bits(drawn[i], first[i])) << threads << " threads, draw " << i;
    }
  }
  set_threads(before);
}

TEST(Generator, ContinuesFromSeedAndOffset) {
  Generator random{7, 0};
  ops::normal(random, {13});
  const Generator saved{random.seed, random.offset};
  const Tensor rest = ops::uniform(random, {1001}, DType::float64);
  const double next = random.next_uniform();
  Generator restored = saved;
  EXPECT_TRUE(test::equal_bits(ops::uniform(restored, {1001}, DType::float64), rest));
  EXPECT_EQ(restored.next_uniform(), next);
  EXPECT_EQ(restored, random);
}

TEST(Generator, AdvancesByWhatItUsed) {
  // A long draw equals the short draws it consists of; a block has four float32 or two float64
  // numbers.
  for (const auto& [dtype, per_block] : {std::pair{DType::float32, 4}, {DType::float64, 2}}) {
    Generator whole{1, 0}, parts{1, 0};
    const auto all = ops::uniform(whole, {40}, dtype).to_vector();
    auto pieces = ops::uniform(parts, {12}, dtype).to_vector();
    EXPECT_EQ(parts.offset, static_cast<std::uint64_t>(12 / per_block));
    const auto second = ops::uniform(parts, {28}, dtype).to_vector();
    pieces.insert(pieces.end(), second.begin(), second.end());
    EXPECT_EQ(all, pieces);
    EXPECT_EQ(whole, parts);
  }
  Generator odd{1, 0};
  ops::uniform(odd, {5});
  EXPECT_EQ(odd.offset, 2u);
  ops::uniform(odd, {0});
  EXPECT_EQ(odd.offset, 2u);
}

struct Moments {
  double mean = 0, variance = 0, fourth = 0, low = INFINITY, high = -INFINITY;
};

Moments moments(const Tensor& x) {
  const auto values = x.to_vector();
  const auto count = static_cast<double>(values.size());
  Moments m;
  for (const double v : values) {
    m.mean += v / count;
    m.low = std::min(m.low, v);
    m.high = std::max(m.high, v);
  }
  for (const double v : values) {
    const double d = v - m.mean;
    m.variance += d * d / count;
    m.fourth += d * d * d * d / count;
  }
  return m;
}

// The tolerance is five standard errors around the exact moments.
TEST(Generator, Moments) {
  constexpr std::int64_t count = 200000;
  const double error = 5 / std::sqrt(static_cast<double>(count));
  for (const DType dtype : {DType::float32, DType::float64}) {
    Generator random{11, 0};
    const Moments u = moments(ops::uniform(random, {count}, dtype));
    EXPECT_NEAR(u.mean, 0.5, error * std::sqrt(1.0 / 12));
    EXPECT_NEAR(u.variance, 1.0 / 12, error * std::sqrt(1.0 / 180));
    EXPECT_GE(u.low, 0);
    EXPECT_LT(u.high, 1);
    const Moments n = moments(ops::normal(random, {count}, dtype));
    EXPECT_NEAR(n.mean, 0, error);
    EXPECT_NEAR(n.variance, 1, error * std::sqrt(2.0));
    EXPECT_NEAR(n.fourth, 3, error * std::sqrt(96.0));
    const Moments e = moments(ops::exponential(random, {count}, dtype));
    EXPECT_NEAR(e.mean, 1, error);
    EXPECT_NEAR(e.variance, 1, error * std::sqrt(8.0));
    EXPECT_GT(e.low, 0);
  }
}

TEST(Generator, NormalPairsAreIndependent) {
  Generator random{12, 0};
  const auto values = ops::normal(random, {200000}, DType::float64).to_vector();
  double neighbours = 0, squares = 0;
  for (std::size_t i = 0; i + 1 < values.size(); ++i) {
    neighbours += values[i] * values[i + 1];
    squares += (values[i] * values[i] - 1) * (values[i + 1] * values[i + 1] - 1);
  }
  const double error = 5 / std::sqrt(200000.0);
  EXPECT_NEAR(neighbours / 200000, 0, error);
  EXPECT_NEAR(squares / 200000, 0, 2 * error);
}

// Draws at the two ends of a float32 uniform, at positions found by search. exponential must stay
// in (0, inf).
TEST(Generator, ExponentialIsFiniteAtBothEnds) {
  struct End {
    std::uint64_t offset;
    std::int64_t slot;
    double uniform;
  };
  for (const End& end : {End{2330056, 2, 1 - 0x1p-24}, End{14883995, 0, 0}}) {
    Generator random{0, end.offset};
    ASSERT_EQ(ops::uniform(random, {4}).to_vector()[static_cast<std::size_t>(end.slot)],
              end.uniform);
    random.offset = end.offset;
    const double drawn =
        ops::exponential(random, {4}).to_vector()[static_cast<std::size_t>(end.slot)];
    EXPECT_GT(drawn, 0);
    EXPECT_LT(drawn, 17);  // 24 ln 2 = 16.6
  }
}

TEST(Generator, NextBelow) {
  Generator random{3, 0};
  std::array<int, 7> seen{};
  for (int i = 0; i < 7000; ++i) ++seen.at(static_cast<std::size_t>(random.next_below(7)));
  for (const int count : seen) EXPECT_NEAR(count, 1000, 5 * std::sqrt(1000.0 * 6 / 7));
  EXPECT_EQ(random.next_below(1), 0);
  // With a limit of 3·2^61 and no rejection, the lower third would have a probability of 3/8.
  const std::int64_t limit = std::int64_t{3} << 61;
  int lower = 0;
  for (int i = 0; i < 10000; ++i) lower += random.next_below(limit) < limit / 3;
  EXPECT_NEAR(lower, 10000 / 3.0, 5 * std::sqrt(10000.0 * 2 / 9));
  EXPECT_EQ(test::error_of([&] { random.next_below(0); }),
            "random: the limit must be positive, got 0");
}

TEST(Generator, ForksAreDistinctAndReproducible) {
  const Generator random{9, 4};
  std::set<std::uint64_t> seeds{random.seed};
  for (std::uint64_t i = 0; i < 1000; ++i) seeds.insert(random.fork(i).seed);
  EXPECT_EQ(seeds.size(), 1001u);
  EXPECT_EQ(random.fork(5), random.fork(5));
  EXPECT_NE(random.fork(5), (Generator{9, 5}.fork(5)));
}

// Odd sizes make parts begin and end inside the generator's blocks.
TEST(Generator, DrawsAPartOfAWholeDraw) {
  const Shape shape{2, 3, 7, 5};
  const auto part_of = [&](const auto& draw, DType dtype) {
    for (const int dim : {0, 1, 2, 3, -2})
      for (std::int64_t start = 0; start < shape[normalize_dim(dim, 4, "")]; ++start) {
        Generator random{3, 11}, same = random;
        const std::int64_t length = (shape[normalize_dim(dim, 4, "")] - start + 1) / 2;
        const Tensor whole = draw(random, shape, dtype, std::nullopt, Device{});
        const Tensor part = draw(same, shape, dtype, ops::DrawPart{dim, start, length}, Device{});
        EXPECT_TRUE(
            test::equal_bits(part, ops::contiguous(ops::narrow(whole, dim, start, length))));
        EXPECT_EQ(same, random);
      }
  };
  for (const DType dtype : {DType::float32, DType::float64}) {
    part_of(ops::uniform, dtype);
    part_of(ops::normal, dtype);
    part_of(ops::exponential, dtype);
  }
  Generator random;
  EXPECT_EQ(test::error_of([&] {
              ops::uniform(random, {2, 3}, DType::float32, ops::DrawPart{1, 2, 2});
            }),
            "uniform: [2, 4) is outside dimension 1 of [2,3]");
}

TEST(Generator, RefusesOtherDtypes) {
  Generator random;
  EXPECT_EQ(test::error_of([&] { ops::normal(random, {2}, DType::int64); }),
            "normal: computes in float32 or float64, got int64; cast first");
}

}  // namespace
}  // namespace mini
