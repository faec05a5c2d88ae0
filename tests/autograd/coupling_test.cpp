#include <cmath>

#include "autograd/functions.h"
#include "tensor/parallel.h"
#include "tensor/view.h"
#include "tests/autograd/numeric_gradient.h"

namespace mini {
namespace {

const Shape shape{2, 3, 2, 3};

TEST(Coupling, SaysItsFormula) {
  const Tensor x = test::random(shape), h = test::random(shape, 2), g = test::random(shape, 3);
  const auto a = x.to_vector(), b = h.to_vector(), c = g.to_vector();
  const Tensor y = coupling(ops::channels_last(x), h, g);
  const auto got = y.to_vector();
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double s = 2 / (1 + std::exp(-b[i])) - 1;
    EXPECT_NEAR(got[i], a[i] * std::exp(s) + c[i], 1e-14);
  }
  EXPECT_LT(test::max_difference(coupling_inverse(y, h, ops::channels_last(g)), x), 1e-14);
  EXPECT_EQ(test::error_of([&] { coupling(x, h, Tensor::ones({2}, DType::float64)); }),
            "coupling: shapes [2,3,2,3], [2,3,2,3] and [2] differ");
}

TEST(Coupling, InFloatIsCloseToDouble) {
  const Shape large{1, 3, 33, 35};
  const Tensor x = test::random(large), h = test::random(large, 2) * 4.0,
               g = test::random(large, 3);
  const auto single = [](const Tensor& t) { return ops::cast(t, DType::float32); };
  const Tensor y = coupling(single(x), single(h), single(g));
  EXPECT_LT(test::max_difference(ops::cast(y, DType::float64), coupling(x, h, g)), 2e-6);
  const Tensor back = coupling_inverse(y, single(h), single(g));
  EXPECT_LT(test::max_difference(back, single(x)), 2e-6);
}

TEST(Coupling, Gradients) {
  const Tensors inputs{test::random(shape), test::random(shape, 2), test::random(shape, 3)};
  test::expect_gradients([](const Tensors& t) { return coupling(t[0], t[1], t[2]); }, inputs);
  test::expect_gradients([](const Tensors& t) { return coupling_inverse(t[0], t[1], t[2]); },
                         inputs);
  // The same tensor as two operands.
  test::expect_gradients([](const Tensors& t) { return coupling(t[0], t[0], t[1]); },
                         {test::random(shape), test::random(shape, 2)});
}

TEST(Mixture, PicksTheComponentOfTheLargestScore) {
  const std::int64_t count = 4;
  const Tensor parameters = test::random({3, count});
  Generator generator{5, 0};
  const Tensor e = ops::exponential(generator, {50, count}, DType::float64);
  const Tensor n = ops::normal(generator, {50, count}, DType::float64);
  const Tensor z = sample_mixture(parameters, e, n);
  ASSERT_EQ(z.shape(), Shape({50}));
  const double* p = parameters.data<double>();
  for (std::int64_t i = 0; i < 50; ++i) {
    std::int64_t best = 0;
    const auto score = [&](std::int64_t k) {
      return p[k] - std::log(e.data<double>()[i * count + k]);
    };
    for (std::int64_t k = 1; k < count; ++k)
      if (score(k) > score(best)) best = k;
    EXPECT_NEAR(
        z.data<double>()[i],
        p[count + best] + std::exp(p[2 * count + best] / 2) * n.data<double>()[i * count + best],
        1e-14);
  }
}

// Compares the fused gradient with the recorded composition. Differences cannot check it, since the
// hard sample is not a smooth function of the logits.
TEST(Mixture, FusedGradientEqualsTheComposition) {
  Tensor parameters = test::random({3, 5});
  parameters.data<double>()[10] = 21;  // outside the clamp
  parameters.set_requires_grad();
  Generator generator{5, 0};
  const Tensor e = ops::exponential(generator, {2, 70, 70, 5}, DType::float64);
  const Tensor n = ops::normal(generator, {2, 70, 70, 5}, DType::float64);
  const Tensor dz = test::random({2, 70, 70});
  const Tensor z = sample_mixture(parameters, e, n);
  const Tensor fused = grad({z}, {parameters}, {dz}, {.retain_graph = true})[0];
  const Tensor composed = grad({z}, {parameters}, {dz}, {.create_graph = true})[0];
  EXPECT_LT(test::relative_error(fused, composed), 1e-12);
  EXPECT_EQ(fused.data<double>()[10], 0);
  for (int row = 0; row < 3; ++row)
    EXPECT_GT(test::largest(ops::select(fused, 0, row)), 1e-3) << "row " << row;
  EXPECT_TRUE(composed.requires_grad());
  EXPECT_TRUE(grad({sum(square(composed))}, {parameters})[0].defined());

  const int before = max_threads();
  for (const int threads : {1, 2, 3}) {
    set_threads(threads);
    EXPECT_TRUE(test::equal_bits(grad({z}, {parameters}, {dz}, {.retain_graph = true})[0], fused));
  }
  set_threads(before);
}

// Means and deviations are smooth as long as the same component wins.
TEST(Mixture, GradientOfMeansAndVariancesMatchesDifferences) {
  Generator generator{6, 0};
  const Tensor e = ops::exponential(generator, {30, 3}, DType::float64);
  const Tensor n = ops::normal(generator, {30, 3}, DType::float64);
  const Tensor logits = test::random({1, 3});
  test::expect_gradients(
      [&](const Tensors& t) {
        return sample_mixture(concat({logits, t[0]}, 0), e, n);
      },
      {test::random({2, 3}, 2)});
}

TEST(Mixture, SaysWhatDoesNotFit) {
  const Tensor noise = Tensor::ones({4, 5});
  EXPECT_EQ(test::error_of([&] {
              sample_mixture(Tensor::ones({3, 4}), noise, noise);
            }),
            "sample_mixture: noise must be two tensors [..,4], got [4,5] and [4,5]");
  EXPECT_NE(test::error_of([&] {
              sample_mixture(Tensor::ones({2, 5}), noise, noise);
            }).find("[3,K]"),
            std::string::npos);
}

}  // namespace
}  // namespace mini
