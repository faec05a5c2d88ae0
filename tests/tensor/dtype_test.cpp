// The 16-bit types: all bit patterns, and all midpoints between neighbours.
#include "tensor/dtype.h"

#include <cmath>
#include <limits>

#include "tests/support/support.h"

namespace mini {
namespace {

Half half_of(std::uint32_t bits) {
  Half half;
  half.bits = static_cast<std::uint16_t>(bits);
  return half;
}

BFloat16 bfloat16_of(std::uint32_t bits) {
  BFloat16 value;
  value.bits = static_cast<std::uint16_t>(bits);
  return value;
}

// The value of a binary16 bit pattern, computed from the definition of the format.
double half_value(std::uint32_t bits) {
  const int exponent = static_cast<int>(bits >> 10 & 31);
  const double mantissa = bits & 1023;
  const double sign = (bits & 0x8000) != 0 ? -1 : 1;
  return sign *
         (exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25));
}

TEST(Half, EveryPatternMeansWhatTheFormatSays) {
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const auto value = static_cast<float>(half_of(bits));
    const bool special = (bits & 0x7c00) == 0x7c00;
    if (special && (bits & 1023) != 0) {
      ASSERT_TRUE(std::isnan(value)) << bits;
      ASSERT_TRUE(std::isnan(static_cast<float>(Half(value)))) << bits;
      continue;
    }
    if (special) {
      ASSERT_EQ(value, (bits & 0x8000) != 0 ? -INFINITY : INFINITY);
    } else {
      ASSERT_EQ(static_cast<double>(value), half_value(bits)) << bits;
    }
    ASSERT_EQ(Half(value).bits, bits);
  }
}

TEST(Half, RoundsToNearestEven) {
  for (std::uint32_t bits = 0; bits < 0x7bff; ++bits) {
    const auto middle = static_cast<float>((half_value(bits) + half_value(bits + 1)) / 2);
    const std::uint32_t even = bits + (bits & 1);
    for (const std::uint32_t sign : {0u, 0x8000u}) {
      const float flip = sign != 0 ? -1.0f : 1.0f;
      ASSERT_EQ(Half(flip * middle).bits, sign | even);
      ASSERT_EQ(Half(flip * std::nextafter(middle, 0.0f)).bits, sign | bits);
      ASSERT_EQ(Half(flip * std::nextafter(middle, 1e9f)).bits, sign | (bits + 1));
    }
  }
}

TEST(Half, KnownValues) {
  EXPECT_EQ(Half(1.0f).bits, 0x3c00);
  EXPECT_EQ(Half(-2.0f).bits, 0xc000);
  EXPECT_EQ(Half(0.1f).bits, 0x2e66);
  EXPECT_EQ(Half(65504.0f).bits, 0x7bff);
  EXPECT_EQ(Half(65519.996f).bits, 0x7bff);
  EXPECT_EQ(Half(65520.0f).bits, 0x7c00);
  EXPECT_EQ(Half(1e30f).bits, 0x7c00);
  EXPECT_EQ(Half(-0.0f).bits, 0x8000);
  EXPECT_EQ(Half(0x1p-25f).bits, 0x0000);  // a tie, which goes to the even zero
  EXPECT_EQ(Half(0x1.8p-25f).bits, 0x0001);
}

TEST(BFloat16, EveryPatternSurvivesFloat32) {
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const auto value = static_cast<float>(bfloat16_of(bits));
    if (std::isnan(value))
      ASSERT_TRUE(std::isnan(static_cast<float>(BFloat16(value)))) << bits;
    else
      ASSERT_EQ(BFloat16(value).bits, bits);
  }
}

TEST(BFloat16, RoundsToNearestEven) {
  for (std::uint32_t bits = 0; bits < 0x7f7f; ++bits) {
    const auto middle = std::bit_cast<float>(bits << 16 | 0x8000u);
    const std::uint32_t even = bits + (bits & 1);
    for (const std::uint32_t sign : {0u, 0x8000u}) {
      const float flip = sign != 0 ? -1.0f : 1.0f;
      ASSERT_EQ(BFloat16(flip * middle).bits, sign | even);
      ASSERT_EQ(BFloat16(flip * std::nextafter(middle, 0.0f)).bits, sign | bits);
      ASSERT_EQ(BFloat16(flip * std::nextafter(middle, INFINITY)).bits, sign | (bits + 1));
    }
  }
}

TEST(BFloat16, KnownValues) {
  EXPECT_EQ(BFloat16(1.0f).bits, 0x3f80);
  EXPECT_EQ(BFloat16(0.1f).bits, 0x3dcd);
  EXPECT_EQ(BFloat16(3.14159265f).bits, 0x4049);
  EXPECT_EQ(BFloat16(std::numeric_limits<float>::max()).bits, 0x7f80);  // rounds to infinity
  // A NaN whose payload is only in the dropped half must not become infinity.
  EXPECT_TRUE(std::isnan(static_cast<float>(BFloat16(std::bit_cast<float>(0x7f800001u)))));
}

TEST(DType, SizesAndNames) {
  const std::pair<DType, std::size_t> sizes[] = {{DType::float32, 4}, {DType::float64, 8},
                                                 {DType::float16, 2}, {DType::bfloat16, 2},
                                                 {DType::uint8, 1},   {DType::int64, 8}};
  for (const auto& [dtype, size] : sizes) {
    EXPECT_EQ(element_size(dtype), size) << dtype;
    visit(dtype, [wanted = dtype](auto type) {
      EXPECT_EQ(dtype_of<typename decltype(type)::type>(), wanted);
    });
  }
  EXPECT_EQ(name_of(DType::bfloat16), "bfloat16");
  EXPECT_EQ(test::error_of([] { visit_real(DType::uint8, "exp", [](auto) {}); }),
            "exp: computes in float32 or float64, got uint8; cast first");
}

}  // namespace
}  // namespace mini
