// Adam, AdamW and Ranger against PyTorch: 25 steps of one float32 convolution.
#include "nn/optimizer.h"

#include <cmath>

#include "autograd/engine.h"
#include "autograd/functions.h"
#include "io/safetensors.h"
#include "tensor/view.h"
#include "tests/support/golden.h"
#include "tests/support/support.h"

namespace mini {
namespace {

class GoldenOptimizer : public testing::TestWithParam<std::string> {};

TEST_P(GoldenOptimizer, FollowsTheTrajectory) {
  const auto folder = test::golden_folder();
  if (!folder) GTEST_SKIP() << "no golden folder";
  io::TensorFile golden = io::read_safetensors(*folder / "optimizers.safetensors");
  const auto expected = [&](const char* name) { return golden.tensors.at(GetParam() + name); };
  const std::uint64_t salt =
      golden.metadata.contains("salt") ? std::stoull(golden.metadata.at("salt")) : 0;
  const auto input = [&](const char* key, const Shape& shape, double scale) {
    return ops::cast(test::hash_uniform(key, shape, salt) * scale, DType::float32);
  };
  Tensor w = input("toy.weight", {4, 3, 3, 3}, 0.3), b = input("toy.bias", {4}, 0.3);
  w.set_requires_grad();
  b.set_requires_grad();
  const Tensor x = input("toy.x", {2, 3, 8, 8}, 1), t = input("toy.t", {2, 4, 8, 8}, 1);

  const std::map<std::string, nn::OptimizerOptions> options{
      {"adam", {.weight_decay = 1e-5}},
      {"adamw", {.type = nn::OptimizerType::adamw, .weight_decay = 1e-2}},
      {"ranger", {.type = nn::OptimizerType::ranger, .beta1 = 0.95, .eps = 1e-5}}};
  const auto optimizer = nn::make_optimizer({{"weight", w}, {"bias", b}}, options.at(GetParam()));
  const auto losses = expected(".loss").to_vector(), norms = expected(".norms").to_vector();
  const auto norm = [](const Tensor& v) { return std::sqrt(sum(square(v.detach())).item()); };
  for (std::size_t k = 0; k < losses.size(); ++k) {
    w.set_grad({});
    b.set_grad({});
    const Tensor loss = mse_loss(conv2d(x, w, b, {.padding = {1, 1}}), t);
    EXPECT_NEAR(loss.item(), losses[k], 1e-6 * losses[k]) << "step " << k;
    backward(loss);
    optimizer->step(1e-2);
    EXPECT_NEAR(norm(w), norms[2 * k], 2e-6 * norms[2 * k]) << "step " << k;
    EXPECT_NEAR(norm(b), norms[2 * k + 1], 2e-6 * norms[2 * k + 1]) << "step " << k;
  }
  EXPECT_LT(test::relative_error(w, expected(".weight")), 1e-5);
  EXPECT_LT(test::relative_error(b, expected(".bias")), 1e-5);
}

INSTANTIATE_TEST_SUITE_P(Optimizers, GoldenOptimizer, testing::Values("adam", "adamw", "ranger"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace mini
