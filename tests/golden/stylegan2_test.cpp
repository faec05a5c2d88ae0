// StyleGAN2 against the PyTorch port whose weights GRAIN reads: images, gradients, and R1 through
// double backward.
#include <cmath>

#include "autograd/engine.h"
#include "models/stylegan2/discriminator.h"
#include "models/stylegan2/generator.h"
#include "tests/golden/file.h"

namespace mini {
namespace {

using GoldenStyleGan2 = test::GoldenTest;

test::GoldenFile::Filling filling(const std::string& name, const Tensor& tensor) {
  if (name.ends_with("kernel")) return {.keeps = true};
  if (name.ends_with("modulation.bias")) return {.scale = 0.1, .shift = 1};
  if (name.ends_with("noise.weight")) return {.scale = 0.3};
  if (tensor.rank() < 2) return {.scale = 0.1};
  const bool mapping = name.starts_with("style.");
  return {.scale = std::sqrt(3.0) * (mapping ? 100 : 1)};
}

TEST_P(GoldenStyleGan2, GeneratorMatches) {
  const test::GoldenFile golden("stylegan2_generator_64", GetParam());
  Generator generator{1};
  models::StyleGan2Generator net({.size = 64}, generator);
  golden.fill(net, filling);

  const Tensor latent = golden.stored("latent");
  const auto result = net(latent);
  golden.compare(result.image, "image");
  const auto& features = result.features;
  golden.compare_means(features[features.size() - 1], "feat_m1_mean");
  golden.compare_means(features[features.size() - 3], "feat_m3_mean");
  backward(test::probe_loss(result.image, "probe.img"));
  golden.compare(net.map(golden.stored("mapping.z")), "mapping.w");
  if (!golden.compares_gradients()) return;
  golden.compare(latent.grad(), "latent_grad");
  for (const auto& [name, parameter] : net.named_parameters())
    if (name.starts_with("style."))
      EXPECT_FALSE(parameter.grad().defined()) << name;
    else
      golden.compare_stat(parameter.grad(), "grad_stat." + name, name);
}

TEST_P(GoldenStyleGan2, DiscriminatorMatchesWithR1) {
  const test::GoldenFile golden("stylegan2_discriminator_32", GetParam());
  Generator generator{1};
  models::StyleGan2Discriminator net({.size = 32}, generator);
  golden.fill(net, filling);

  const Tensor real = golden.stored("real"), fake = golden.stored("fake");
  const Tensor real_pred = net(real), fake_pred = net(fake);
  golden.compare(real_pred, "real_pred");
  golden.compare(fake_pred, "fake_pred");
  const Tensor logistic = mean(softplus(neg(real_pred))) + mean(softplus(fake_pred));
  golden.compare(logistic, "logistic");
  if (!golden.compares_gradients()) return;
  const Tensor slope = grad({sum(real_pred)}, {real}, {}, {.create_graph = true})[0];
  golden.compare(slope, "image_grad");
  const Tensor r1 = sum(square(slope)) / static_cast<double>(real.size(0));
  golden.compare(r1, "r1");
  backward(logistic + r1 * 80.0);
  golden.compare_gradients(net, "grad_stat.");
}

INSTANTIATE_TEST_SUITE_P(Types, GoldenStyleGan2, test::golden_types(), test::golden_type_name);

}  // namespace
}  // namespace mini
