#include "ops/matmul.h"

#include <cmath>
#include <gtest/gtest.h>

#include "tensor/parallel.h"
#include "tensor/random.h"
#include "tensor/view.h"
#include "tests/support/support.h"

namespace mini {
namespace {

Tensor random_matrix(const Shape& shape, std::uint64_t seed, DType dtype, bool integers) {
  Generator random{seed};
  Tensor result = Tensor::empty(shape, DType::float64);
  for (std::int64_t i = 0; i < result.numel(); ++i) {
    const double value = random.next_uniform() * 2 - 1;
    result.data<double>()[i] = integers ? std::round(3 * value) : value;
  }
  return ops::cast(result, dtype);
}

// a [B,M,K] · b [B,K,N], by the definition.
Tensor reference(const Tensor& a, const Tensor& b) {
  const auto x = a.to_vector(), y = b.to_vector();
  const auto batch = static_cast<std::size_t>(a.size(0)), m = static_cast<std::size_t>(a.size(1)),
             k = static_cast<std::size_t>(a.size(2)), n = static_cast<std::size_t>(b.size(2));
  std::vector<double> z(batch * m * n);
  for (std::size_t i = 0; i < batch; ++i)
    for (std::size_t r = 0; r < m; ++r)
      for (std::size_t c = 0; c < n; ++c)
        for (std::size_t t = 0; t < k; ++t)
          z[(i * m + r) * n + c] += x[(i * m + r) * k + t] * y[(i * k + t) * n + c];
  return Tensor::from(z, {a.size(0), a.size(1), b.size(2)});
}

struct Size {
  std::int64_t batch, m, n, k;
};
// Sizes just below and above every tile, panel and block.
const std::vector<Size> sizes{
    {1, 1, 1, 1},    {2, 3, 4, 5},    {1, 13, 16, 7},    {1, 14, 17, 33},  {1, 15, 31, 8},
    {3, 64, 48, 20}, {1, 130, 65, 9}, {1, 5, 3, 1100},   {1, 113, 9, 513}, {2, 70, 40, 512},
    {5, 1, 80, 3},   {1, 200, 1, 10}, {1, 3, 1100, 530}, {1, 90, 545, 20}, {1, 4103, 530, 3}};

TEST(Matmul, IsExactOnIntegersInAnyMemoryOrder) {
  for (const Size& s : sizes) {
    for (const DType dtype : {DType::float32, DType::float64}) {
      const Tensor a = random_matrix({s.batch, s.m, s.k}, 1, dtype, true);
      const Tensor b = random_matrix({s.batch, s.k, s.n}, 2, dtype, true);
      const auto wanted = reference(a, b).to_vector();
      const auto turned = [](const Tensor& x) {
        return ops::transpose(ops::contiguous(ops::transpose(x, 1, 2)), 1, 2);
      };
      EXPECT_EQ(ops::matmul(a, b).to_vector(), wanted) << s.m << ' ' << s.n << ' ' << s.k;
      EXPECT_EQ(ops::matmul(turned(a), b).to_vector(), wanted) << s.m << ' ' << s.n << ' ' << s.k;
      EXPECT_EQ(ops::matmul(a, turned(b)).to_vector(), wanted) << s.m << ' ' << s.n << ' ' << s.k;
      EXPECT_EQ(ops::matmul(turned(a), turned(b)).to_vector(), wanted);
    }
  }
}

TEST(Matmul, MatchesTheDefinition) {
  for (const Size& s : sizes) {
    const Tensor a = random_matrix({s.batch, s.m, s.k}, 3, DType::float64, false);
    const Tensor b = random_matrix({s.batch, s.k, s.n}, 4, DType::float64, false);
    EXPECT_LT(test::relative_error(ops::matmul(a, b), reference(a, b)), 1e-13);
  }
}

TEST(Matmul, BitsDependNeitherOnThreadsNorOnMemoryOrder) {
  const int before = max_threads();
  for (const Size& s : {Size{1, 300, 100, 700}, Size{3, 120, 40, 60}, Size{1, 150, 600, 530}}) {
    const Tensor a = random_matrix({s.batch, s.m, s.k}, 5, DType::float32, false);
    const Tensor b = random_matrix({s.batch, s.k, s.n}, 6, DType::float32, false);
    const Tensor turned = ops::transpose(ops::contiguous(ops::transpose(b, 1, 2)), 1, 2);
    set_threads(1);
    const Tensor one = ops::matmul(a, b);
    for (const int threads : {1, 2, 3}) {
      set_threads(threads);
      EXPECT_TRUE(test::equal_bits(ops::matmul(a, b), one)) << threads;
      EXPECT_TRUE(test::equal_bits(ops::matmul(a, turned), one)) << threads;
    }
  }
  set_threads(before);
}

TEST(Matmul, BroadcastsLeadingDimensions) {
  const Tensor a = random_matrix({4, 1, 3, 5}, 7, DType::float64, true);
  const Tensor b = random_matrix({2, 5, 6}, 8, DType::float64, true);
  const Tensor y = ops::matmul(a, b);
  ASSERT_EQ(y.shape(), (Shape{4, 2, 3, 6}));
  for (std::int64_t i = 0; i < 4; ++i)
    for (std::int64_t j = 0; j < 2; ++j)
      EXPECT_EQ(ops::select(ops::select(y, 0, i), 0, j).to_vector(),
                reference(ops::select(a, 0, i), ops::narrow(b, 0, j, 1)).to_vector());
  // One matrix for the whole batch.
  const Tensor shared = random_matrix({5, 2}, 9, DType::float64, true);
  const Tensor many = random_matrix({3, 4, 5}, 10, DType::float64, true);
  const Tensor product = ops::matmul(many, shared);
  ASSERT_EQ(product.shape(), (Shape{3, 4, 2}));
  EXPECT_EQ(product.to_vector(), reference(many, ops::expand(shared, {3, 5, 2})).to_vector());
}

TEST(Matmul, EmptyOperands) {
  EXPECT_EQ(ops::matmul(Tensor::empty({0, 3}), Tensor::empty({3, 4})).shape(), (Shape{0, 4}));
  // An empty sum is 0.
  EXPECT_EQ(ops::matmul(Tensor::empty({2, 0}), Tensor::empty({0, 2})).to_vector(),
            (std::vector<double>{0, 0, 0, 0}));
}

TEST(Matmul, SaysWhatIsWrong) {
  const Tensor a = Tensor::ones({2, 3}), b = Tensor::ones({4, 5});
  EXPECT_EQ(test::error_of([&] { ops::matmul(a, b); }),
            "matmul: a has 3 columns, but b has 4 rows (a=[2,3], b=[4,5])");
  EXPECT_EQ(test::error_of([&] { ops::matmul(a, Tensor::ones({3})); }),
            "matmul: operands need at least two dimensions, got [2,3] and [3]");
}

}  // namespace
}  // namespace mini
