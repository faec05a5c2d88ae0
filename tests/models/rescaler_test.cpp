// SAIN and IRN as a whole: exact inverses, log-determinants, initialisation, losses.
// tests/golden compares their values with the official implementation.
#include <cmath>

#include "autograd/engine.h"
#include "autograd/functions.h"
#include "models/invertible/invertible_rescaler.h"
#include "ops/elementwise.h"
#include "tensor/view.h"
#include "tests/support/golden.h"
#include "tests/support/networks.h"
#include "tests/support/support.h"

namespace mini {
namespace {

struct Network {
  const char* name;
  std::int64_t scale;
};

class Rescalers : public testing::TestWithParam<Network> {
 protected:
  Rescalers() { net_ = test::make_network(GetParam().name, {GetParam().scale, 2, 2}, generator_); }
  Tensor image(DType dtype) { return ops::uniform(generator_, {2, 3, 16, 24}, dtype); }

  Generator generator_{5};
  std::shared_ptr<models::InvertibleRescaler> net_;
};

TEST_P(Rescalers, InvertExactlyWithAnyWeights) {
  net_->to(DType::float64);
  test::set_golden_weights(*net_);
  const NoGrad no_grad;
  const Tensor x = image(DType::float64);
  const models::FlowResult down = net_->forward(x, true);
  const std::int64_t s = net_->scale();
  EXPECT_EQ(down.out.shape(), (Shape{2, 3 * s * s, 16 / s, 24 / s}));
  EXPECT_EQ(down.lr.shape(), (Shape{2, 3, 16 / s, 24 / s}));
  const models::FlowResult up = net_->inverse(down.out, true);
  EXPECT_LT(test::relative_error(up.out, x), 1e-12);
  EXPECT_LT(test::relative_error(up.lr, down.lr), 1e-12);
  EXPECT_NEAR(up.log_det.item(), -down.log_det.item(), 1e-9 * std::abs(down.log_det.item()));
}

// log|det J| of the whole map, from the Jacobian: one row for each output element.
TEST_P(Rescalers, LogDeterminantIsThatOfTheJacobian) {
  net_->to(DType::float64);
  test::set_golden_weights(*net_);
  const std::int64_t side = net_->scale();
  Tensor x = ops::uniform(generator_, {1, 3, side, side}, DType::float64).set_requires_grad();
  const models::FlowResult down = net_->forward(x, true);
  const auto n = static_cast<std::size_t>(x.numel());
  std::vector<std::vector<double>> rows;
  for (std::size_t i = 0; i < n; ++i) {
    Tensor one = Tensor::zeros(down.out.shape(), DType::float64);
    one.data<double>()[i] = 1;
    rows.push_back(grad({down.out}, {x}, {one}, {.retain_graph = true})[0].to_vector());
  }
  double log_det = 0;  // by Gaussian elimination with pivots
  for (std::size_t k = 0; k < n; ++k) {
    std::size_t pivot = k;
    for (std::size_t i = k; i < n; ++i)
      if (std::abs(rows[i][k]) > std::abs(rows[pivot][k])) pivot = i;
    std::swap(rows[k], rows[pivot]);
    log_det += std::log(std::abs(rows[k][k]));
    for (std::size_t i = k + 1; i < n; ++i) {
      const double factor = rows[i][k] / rows[k][k];
      for (std::size_t j = k; j < n; ++j) rows[i][j] -= factor * rows[k][j];
    }
  }
  EXPECT_NEAR(down.log_det.item(), log_det, 1e-9 * std::abs(log_det));
}

TEST_P(Rescalers, StartAsTheHaarTransform) {
  const NoGrad no_grad;
  const Tensor x = image(DType::float32);
  const models::FlowResult down = net_->forward(x);
  // conv5 of every subnet is zero, so LR is the mean of 2x2 (or 4x4) pixels.
  Tensor means = x;
  for (std::int64_t s = net_->scale(); s > 1; s /= 2) means = avg_pool2d(means, {});
  EXPECT_LT(test::max_difference(down.lr, means), 1e-6);
  for (const auto& [name, tensor] : net_->named_parameters()) {
    const bool zero = name.ends_with("bias") || name.find("conv5") != std::string::npos;
    double largest = 0;
    for (const double value : tensor.to_vector()) largest = std::max(largest, std::abs(value));
    EXPECT_EQ(largest == 0, zero) << name;
    EXPECT_TRUE(name != "gmm.gmm_para" || largest < 1e-3);
  }
}

TEST_P(Rescalers, TheirRecipeGivesEveryParameterAGradient) {
  test::set_golden_weights(*net_, 0, 0.3);
  const Tensor hr = ops::uniform(generator_, {2, 3, 32, 32});
  const Tensor reference = resize_bicubic(hr, 1.0 / static_cast<double>(net_->scale()));
  const train::Losses losses = test::losses_of(net_, hr, reference, generator_);
  double sum_of_terms = 0;
  for (const train::LossTerm& term : losses.terms) {
    EXPECT_GT(term.value.item(), 0) << term.name;
    sum_of_terms += term.value.item();
  }
  EXPECT_LE(losses.total.item(), sum_of_terms * (1 + 1e-5));
  backward(losses.total);
  for (const auto& [name, tensor] : net_->named_parameters())
    EXPECT_TRUE(tensor.grad().defined()) << name;
}

TEST_P(Rescalers, LatentComesFromTheGeneratorAlone) {
  const NoGrad no_grad;
  const Tensor lr = ops::uniform(generator_, {1, 3, 8, 8});
  Generator first{9}, again{9}, other{10};
  const Tensor image = net_->upscale(lr, &first);
  EXPECT_TRUE(test::equal_bits(image, net_->upscale(lr, &again)));
  EXPECT_FALSE(test::equal_bits(image, net_->upscale(lr, &other)));
  EXPECT_TRUE(test::equal_bits(net_->upscale(lr), net_->upscale(lr)));
}

INSTANTIATE_TEST_SUITE_P(Networks, Rescalers,
                         testing::Values(Network{"sain", 2}, Network{"sain", 4}, Network{"irn", 2},
                                         Network{"irn", 4}),
                         [](const auto& info) {
                           return std::string(info.param.name) + std::to_string(info.param.scale);
                         });

}  // namespace
}  // namespace mini
