#include <cmath>
#include <vector>

#include "autograd/functions.h"
#include "tests/autograd/numeric_gradient.h"

namespace mini {
namespace {

TEST(Losses, SaysItsFormula) {
  const Tensor a = Tensor::from(std::vector<double>{1, 2, 3, 4}, {2, 2});
  const Tensor b = Tensor::from(std::vector<double>{1, 0, 6, 3}, {2, 2});
  EXPECT_NEAR(l1_loss(a, b, 0).item(), (2 + 3 + 1) / 2.0, 1e-15);
  EXPECT_NEAR(l1_loss(a, a).item(), 4 * 1e-3 / 2, 1e-15);  // sqrt(epsilon) each
  EXPECT_NEAR(l2_loss(a, b).item(), (4 + 9 + 1) / 2.0, 1e-15);
  EXPECT_NEAR(mse_loss(a, b).item(), (4 + 9 + 1) / 4.0, 1e-15);
}

TEST(Losses, CrossEntropyIsTheMeanNegativeLogProbability) {
  const Tensor logits = test::random({2, 3, 2});
  const Tensor labels = Tensor::from(std::vector<std::int64_t>{0, 2, 1, 1}, {2, 2});
  const auto x = logits.to_vector(), y = labels.to_vector();
  double expected = 0;
  for (std::size_t n = 0; n < 2; ++n)
    for (std::size_t i = 0; i < 2; ++i) {
      double total = 0;
      for (std::size_t c = 0; c < 3; ++c) total += std::exp(x[(n * 3 + c) * 2 + i]);
      const auto label = static_cast<std::size_t>(y[n * 2 + i]);
      expected -= (x[(n * 3 + label) * 2 + i] - std::log(total)) / 4;
    }
  EXPECT_NEAR(cross_entropy(logits, labels).item(), expected, 1e-14);
  test::expect_gradients([&](const Tensors& t) { return cross_entropy(t[0], labels); }, {logits});
}

TEST(Losses, BinaryCrossEntropy) {
  const Tensor logits = Tensor::from(std::vector<double>{0.3, -2, 400, -400}, {4});
  const Tensor targets = Tensor::from(std::vector<double>{0.25, 1, 1, 0}, {4});
  const auto term = [](double x, double t) {
    const double p = 1 / (1 + std::exp(-x));
    return -t * std::log(p) - (1 - t) * std::log(1 - p);
  };
  EXPECT_NEAR(bce_with_logits(logits, targets).item(), (term(0.3, 0.25) + term(-2, 1)) / 4, 1e-14);
}

TEST(Losses, Gradients) {
  const Tensor a = test::random({2, 3}), b = test::random({2, 3}, 2);
  // epsilon is larger than the step of the check, so that the loss is smooth near 0.
  test::expect_gradients([](const Tensors& t) { return l1_loss(t[0], t[1], 0.1); }, {a, b});
  test::expect_gradients([](const Tensors& t) { return l2_loss(t[0], t[1]); }, {a, b});
  test::expect_gradients([](const Tensors& t) { return mse_loss(t[0], t[1]); }, {a, b});
  test::expect_gradients([](const Tensors& t) { return bce_with_logits(t[0], sigmoid(t[1])); },
                         {a, b});
}

TEST(Losses, NeverBroadcastByAccident) {
  const Tensor a = Tensor::ones({2, 3}), b = Tensor::ones({2, 1});
  EXPECT_EQ(test::error_of([&] { l1_loss(a, b); }), "l1_loss: shapes [2,3] and [2,1] differ");
  EXPECT_EQ(test::error_of([&] { l2_loss(a, b); }), "l2_loss: shapes [2,3] and [2,1] differ");
  EXPECT_EQ(test::error_of([&] { mse_loss(a, b); }), "mse_loss: shapes [2,3] and [2,1] differ");
  EXPECT_NE(test::error_of([&] {
              cross_entropy(a, Tensor::from(std::vector<std::int64_t>{1, 2, 0}, {3}));
            }).find("expected [2]"),
            std::string::npos);
}

}  // namespace
}  // namespace mini
