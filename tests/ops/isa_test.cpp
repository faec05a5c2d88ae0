// Every instruction set that this build has and this processor executes, side by side in one process.
#include "tensor/isa.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <gtest/gtest.h>

#include "ops/conv.h"
#include "ops/kernels.h"
#include "ops/math.h"
#include "ops/peak.h"
#include "tensor/view.h"
#include "tests/support/support.h"

namespace mini {
namespace {

using cpu::available_isas;
using cpu::Isa;

void expect_same_bits(const std::vector<Tensor>& results) {
  for (std::size_t i = 1; i < results.size(); ++i)
    EXPECT_TRUE(test::equal_bits(results[0], results[i])) << name_of(available_isas()[i]);
}

TEST(Isa, TheOneInUseIsAvailableAndTheOneAskedFor) {
  const std::vector<Isa>& available = available_isas();
  ASSERT_FALSE(available.empty());
  EXPECT_TRUE(std::is_sorted(available.begin(), available.end()));
  EXPECT_NE(std::find(available.begin(), available.end(), cpu::isa()), available.end());
  const char* const wanted = std::getenv("MINI_ISA");
  EXPECT_EQ(name_of(cpu::isa()),
            wanted != nullptr && *wanted != '\0' ? wanted : name_of(available.back()));
}

// Results that are no sums, or whose sums are not rounded, have the same bits in every set.
TEST(Isa, EverySetHasTheSameExponentialFunction) {
  Generator generator{1, 0};
  const Tensor x = ops::normal(generator, {1003}, DType::float32);
  std::vector<Tensor> results;
  for (const Isa isa : available_isas()) {
    results.push_back(Tensor::empty(x.shape(), x.dtype()));
    MINI_KERNEL_OF(isa, unary)(Unary::exp, x, results.back(), 0, 0);
  }
  expect_same_bits(results);
}

TEST(Isa, EverySetConvolvesWholeNumbersExactly) {
  for (const std::int64_t outputs : {1, 3, 7, 16, 21}) {
    const Tensor x = Tensor::empty({2, 5, 9, 11}, DType::float32);
    const Tensor w = Tensor::empty({outputs, 5, 3, 3}, DType::float32);
    for (std::int64_t i = 0; i < x.numel(); ++i)
      x.data<float>()[i] = static_cast<float>(i * 7 % 23);
    for (std::int64_t i = 0; i < w.numel(); ++i)
      w.data<float>()[i] = static_cast<float>(i * 5 % 11);
    Conv2dParams params;
    params.padding = {1, 1};
    std::vector<Tensor> results;
    for (const Isa isa : available_isas()) {
      const Tensor y = ops::conv2d(x, w, {}, params);  // of the layout that the kernel wants
      ops::fill(y, -1);
      MINI_KERNEL_OF(isa, conv2d)(x, w, {}, y, params);
      results.push_back(y);
    }
    expect_same_bits(results);
  }
}

TEST(Isa, AMultiplyAddWrittenOutIsTheInstruction) {
  std::uint64_t state = 1;
  const auto next = [&] {  // every bit pattern, the special ones often
    state = state * 6364136223846793005u + 1442695040888963407u;
    const auto bits = static_cast<std::uint32_t>(state >> 32);
    constexpr std::uint32_t special[] = {0, 0x80000000u, 1, 0x7f800000u, 0x7f7fffffu, 0x3f800000u};
    return std::bit_cast<float>(bits % 8 == 0 ? special[bits / 8 % 6] : bits);
  };
  const auto compare = [](float a, float b, float c) {
    const float got = math::fma(a, b, c), expected = std::fma(a, b, c);
    if (std::isnan(expected))
      EXPECT_TRUE(std::isnan(got)) << a << ' ' << b << ' ' << c;
    else
      EXPECT_EQ(std::bit_cast<std::uint32_t>(got), std::bit_cast<std::uint32_t>(expected))
          << a << ' ' << b << ' ' << c;
  };
  for (int i = 0; i < 200000; ++i) {
    const float a = next(), b = next();
    compare(a, b, next());
    // A term near the product, and one that only the last rounding sees.
    compare(a, b, std::nextafter(-a * b, next()));
    compare(a, b, a * b * 0x1p-25f);
  }
}

TEST(Isa, PeakCountsWhatItDoes) {
  const std::int64_t once = ops::multiply_adds(1);
  EXPECT_GT(once, 0);
  EXPECT_EQ(ops::multiply_adds(10), 10 * once);
}

}  // namespace
}  // namespace mini
