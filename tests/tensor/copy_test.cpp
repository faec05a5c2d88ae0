// Copying and converting values.
#include <cmath>
#include <limits>

#include "tensor/parallel.h"
#include "tensor/random.h"
#include "tensor/view.h"
#include "tests/support/support.h"

namespace mini {
namespace {

using Values = std::vector<double>;
constexpr auto int64_min = std::numeric_limits<std::int64_t>::min();
constexpr auto int64_max = std::numeric_limits<std::int64_t>::max();

template <class T, class From>
std::vector<T> cast_all(const std::vector<From>& values) {
  const Tensor x = Tensor::from(values, {std::ssize(values)});
  const Tensor y = ops::cast(x, dtype_of<T>());
  return {y.data<T>(), y.data<T>() + y.numel()};
}

TEST(Cast, FloatingToIntegerTruncatesAndSaturates) {
  const std::vector<double> from{-1e300, -0.9, 0.9, 1.999, 254.999, 255.5, 1e300, NAN, INFINITY};
  EXPECT_EQ(cast_all<std::uint8_t>(from),
            (std::vector<std::uint8_t>{0, 0, 0, 1, 254, 255, 255, 0, 255}));
  EXPECT_EQ(cast_all<std::int64_t>(from),
            (std::vector<std::int64_t>{int64_min, 0, 0, 1, 254, 255, int64_max, 0, int64_max}));
  const std::vector<float> narrow{-3.7f, 9.3e18f, -9.3e18f, 300.0f};
  EXPECT_EQ(cast_all<std::int64_t>(narrow),
            (std::vector<std::int64_t>{-3, int64_max, int64_min, 300}));
  EXPECT_EQ(cast_all<std::uint8_t>(narrow), (std::vector<std::uint8_t>{0, 255, 0, 255}));
}

TEST(Cast, BetweenIntegersSaturates) {
  const std::vector<std::int64_t> from{int64_min, -1, 0, 7, 255, 256, int64_max};
  EXPECT_EQ(cast_all<std::uint8_t>(from), (std::vector<std::uint8_t>{0, 0, 0, 7, 255, 255, 255}));
  EXPECT_EQ(cast_all<std::int64_t>(std::vector<std::uint8_t>{0, 200, 255}),
            (std::vector<std::int64_t>{0, 200, 255}));
}

TEST(Cast, RoundsOnceToSixteenBits) {
  // 1 + 2^-11 + 2^-40 lies just above the midpoint of two halves. Rounding to float32 first would
  // give the midpoint, which then rounds down.
  const std::vector<double> from{1 + 0x1p-11 + 0x1p-40, 1 + 0x1p-11, 1 - 0x1p-12 - 0x1p-40, 1e300,
                                 -1e-300};
  const std::vector<Half> half = cast_all<Half>(from);
  EXPECT_EQ(half[0].bits, 0x3c01);
  EXPECT_EQ(half[1].bits, 0x3c00);
  EXPECT_EQ(half[2].bits, 0x3bff);
  EXPECT_EQ(half[3].bits, 0x7c00);
  EXPECT_EQ(half[4].bits, 0x8000);
  const std::vector<BFloat16> brain = cast_all<BFloat16>(std::vector<double>{1 + 0x1p-8 + 0x1p-40});
  EXPECT_EQ(brain[0].bits, 0x3f81);
  const std::vector<BFloat16> whole =
      cast_all<BFloat16>(std::vector<std::int64_t>{(1 << 30) + (1 << 22) + 1});
  EXPECT_EQ(static_cast<float>(whole[0]), 0x1.02p30f);
}

TEST(Cast, EveryPairOfTypesKeepsSmallIntegers) {
  const DType all[] = {DType::float32,  DType::float64, DType::float16,
                       DType::bfloat16, DType::uint8,   DType::int64};
  for (const DType from : all)
    for (const DType to : all) {
      const Tensor x = Tensor::arange(200, from);
      const Tensor y = ops::cast(x, to);
      EXPECT_EQ(y.dtype(), to);
      EXPECT_EQ(y.to_vector(), Tensor::arange(200).to_vector()) << from << " to " << to;
    }
  const Tensor x = Tensor::arange(3);
  EXPECT_TRUE(ops::cast(x, DType::int64).is_same(x));
}

TEST(Copy, IntoAndFromAnyView) {
  Generator random{3, 0};
  const Tensor source = ops::uniform(random, {3, 4, 5}, DType::float64);
  const std::vector<int> order{2, 0, 1};
  const Tensor from = ops::permute(source, order);  // [5,3,4]
  const Tensor frame = Tensor::full({6, 5, 9}, -1, DType::float32);
  const Tensor to = ops::narrow(ops::narrow(ops::narrow(frame, 0, 1, 5), 1, 2, 3), 2, 5, 4);
  ops::copy(from, to);
  EXPECT_EQ(to.to_vector(), ops::cast(from, DType::float32).to_vector());
  // Elements outside the view must not change.
  std::int64_t untouched = 0;
  for (const double value : frame.to_vector()) untouched += value == -1;
  EXPECT_EQ(untouched, 6 * 5 * 9 - 5 * 3 * 4);
  EXPECT_EQ(test::error_of([&] { ops::copy(source, to); }),
            "copy: shapes [3,4,5] and [5,3,4] differ");
}

TEST(Copy, SameResultAtAnyThreadCount) {
  const int before = max_threads();
  Generator random{5, 0};
  const Tensor x = ops::transpose(ops::uniform(random, {201, 503}), 0, 1);
  set_threads(1);
  const Tensor one = ops::contiguous(x);
  for (const int threads : {2, 3}) {
    set_threads(threads);
    EXPECT_TRUE(test::equal_bits(ops::contiguous(x), one));
  }
  set_threads(before);
}

TEST(Copy, EmptyTensors) {
  const Tensor x = Tensor::zeros({3, 0, 2});
  EXPECT_TRUE(x.to_vector().empty());
  EXPECT_EQ(ops::clone(ops::transpose(x, 0, 2)).shape(), (Shape{2, 0, 3}));
  ops::fill(x, 1);
  ops::copy(x, x);
}

TEST(Fill, Converts) {
  EXPECT_EQ(Tensor::full({2}, 300, DType::uint8).to_vector(), (Values{255, 255}));
  EXPECT_EQ(Tensor::full({1}, -2.5, DType::int64).to_vector(), (Values{-2}));
  EXPECT_EQ(Tensor::ones({1}, DType::bfloat16).to_vector(), (Values{1}));
  EXPECT_EQ(Tensor::scalar(0.5).shape(), Shape());
}

TEST(Tensor, FromChecksTheCount) {
  EXPECT_EQ(test::error_of([] {
              Tensor::from(std::vector<float>{1, 2, 3}, {2, 2});
            }),
            "tensor: 3 values do not fill shape [2,2]");
}

TEST(Tensor, CopiesOfAHandleAreTheSameTensor) {
  const Tensor x = Tensor::zeros({2});
  EXPECT_TRUE(x.is_unshared());
  const Tensor handle = x;
  EXPECT_TRUE(handle.is_same(x));
  EXPECT_FALSE(x.is_unshared());
  const Tensor y = ops::clone(x);
  EXPECT_FALSE(y.is_same(x));
  EXPECT_TRUE(y.is_unshared());
  const Tensor view = ops::narrow(y, 0, 0, 1);
  EXPECT_FALSE(y.is_unshared());
}

}  // namespace
}  // namespace mini
