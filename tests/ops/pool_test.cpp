// Pooling against plain loops.
#include "ops/pool.h"

#include <cmath>
#include <gtest/gtest.h>
#include <vector>

#include "ops/reduce.h"
#include "tensor/random.h"
#include "tensor/view.h"
#include "tests/support/support.h"

namespace mini {
namespace {

const std::vector<Pool2dParams> cases = {{{2, 2}, {2, 2}, {0, 0}},
                                         {{3, 3}, {2, 2}, {1, 1}},
                                         {{3, 2}, {1, 3}, {1, 0}},
                                         {{1, 1}, {2, 1}, {0, 0}}};

Tensor image() {
  Generator generator{3, 0};
  return ops::normal(generator, {2, 3, 7, 8}, DType::float64);
}

// Pools the padded image element by element; `outside` is the value of the padding.
template <class Fold>
std::vector<double> plain_pool(const Tensor& x, const Pool2dParams& p, double start, double outside,
                               const Fold& fold) {
  const Shape out = p.output_shape(x.shape(), "test");
  const auto values = x.to_vector();
  std::vector<double> result;
  for (std::int64_t plane = 0; plane < out[0] * out[1]; ++plane)
    for (std::int64_t i = 0; i < out[2]; ++i)
      for (std::int64_t j = 0; j < out[3]; ++j) {
        double total = start;
        for (std::int64_t a = 0; a < p.kernel[0]; ++a)
          for (std::int64_t b = 0; b < p.kernel[1]; ++b) {
            const std::int64_t h = i * p.stride[0] - p.padding[0] + a;
            const std::int64_t w = j * p.stride[1] - p.padding[1] + b;
            const bool inside = h >= 0 && h < x.size(2) && w >= 0 && w < x.size(3);
            const std::int64_t at = (plane * x.size(2) + h) * x.size(3) + w;
            total = fold(total, inside ? values[static_cast<std::size_t>(at)] : outside);
          }
        result.push_back(total);
      }
  return result;
}

TEST(Pool, MaximumMatchesPlainLoops) {
  const Tensor x = image();
  for (const Pool2dParams& p : cases) {
    const auto expected =
        plain_pool(x, p, -INFINITY, -INFINITY, [](double a, double b) { return std::max(a, b); });
    const ops::MaxPool result = ops::max_pool2d(ops::channels_last(x), p);
    EXPECT_EQ(result.y.to_vector(), expected);
    EXPECT_EQ(ops::gather_planes(x, result.indices).to_vector(), expected);
  }
}

TEST(Pool, MaximumOfEqualsIsTheFirstAndNaNWins) {
  const Tensor x = Tensor::from(std::vector<float>{4, 4, 1, NAN, 4, 4, NAN, 2}, {1, 1, 2, 4});
  const ops::MaxPool result = ops::max_pool2d(x, {});
  EXPECT_EQ(result.indices.to_vector(), (std::vector<double>{0, 3}));
  EXPECT_TRUE(std::isnan(result.y.to_vector()[1]));
}

TEST(Pool, AverageCountsThePadding) {
  const Tensor x = image();
  for (const Pool2dParams& p : cases) {
    auto expected = plain_pool(x, p, 0, 0, [](double a, double b) { return a + b; });
    const auto area = static_cast<double>(p.kernel[0] * p.kernel[1]);
    const auto got =
        ops::avg_pool2d(ops::transpose(ops::contiguous(ops::transpose(x, 0, 3)), 0, 3), p)
            .to_vector();
    ASSERT_EQ(got.size(), expected.size());
    for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i] / area, 1e-15);
  }
}

TEST(Pool, NamesWhatDoesNotFit) {
  EXPECT_NE(test::error_of([] {
              ops::max_pool2d(Tensor::ones({3, 4}), {});
            }).find("max_pool2d"),
            std::string::npos);
  EXPECT_NE(test::error_of([] {
              ops::avg_pool2d_gradient(Tensor::ones({1, 1, 3, 3}), {1, 1, 4, 4}, {});
            }).find("expected [1,1,2,2]"),
            std::string::npos);
}

}  // namespace
}  // namespace mini
