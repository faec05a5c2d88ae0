// GRAIN's modules against the official implementation: outputs and all gradients.
#include "autograd/engine.h"
#include "models/grain/fea2code.h"
#include "models/grain/fusion.h"
#include "models/grain/inv_rrdb.h"
#include "models/grain/patch_discriminator.h"
#include "tests/golden/file.h"

namespace mini {
namespace {

using GoldenGrain = test::GoldenTest;

TEST_P(GoldenGrain, EncoderMatches) {
  const test::GoldenFile golden("inv_rrdb", GetParam());
  Generator generator{1};
  models::InvRrdbEncoder net({}, generator);
  golden.fill(net);
  const Tensor hr = golden.hashed("hr", {1, 3, 128, 128});
  const Tensor lr = net(hr);
  golden.compare(lr, "lr");
  golden.compare(models::quantise_lr(lr), "lr_quantized");
  backward(test::probe_loss(lr, "probe.lr"));
  golden.compare(hr.grad(), "hr_grad");
  golden.compare_gradients(net, "enc.grad_stat.");
}

TEST_P(GoldenGrain, DecoderMatches) {
  const test::GoldenFile golden("inv_rrdb", GetParam());
  Generator generator{1};
  models::InvRrdbDecoder net({}, generator);
  golden.fill(net);
  const Tensor lr = golden.stored("dec_lr");
  const auto result = net(lr);
  golden.compare(result.image, "dec_hr");
  ASSERT_EQ(result.features.size(), 7u);
  for (std::size_t j = 0; j < 7; ++j)
    golden.compare_means(result.features[j], concat_text("dec_feature", j, "_mean"));
  backward(test::probe_loss(result.image, "probe.hr"));
  golden.compare(lr.grad(), "dec_lr_grad");
  golden.compare_gradients(net, "dec.grad_stat.");
}

TEST_P(GoldenGrain, GradualStyleBlockMatches) {
  const test::GoldenFile golden("gradual_style_block", GetParam());
  Generator generator{1};
  for (const std::int64_t side : {16, 32, 64, 128}) {
    models::GradualStyleBlock net(side, {}, generator);
    golden.fill(net);
    const Tensor x = golden.hashed(concat_text("gsb", side), {1, 64, side, side});
    const auto [first, second, fea] = net(x);
    const std::string name = concat_text("s", side, ".");
    golden.compare(first, name + "c1");
    golden.compare(second, name + "c2");
    if (side > 16)
      golden.compare_means(fea, name + "fea_mean");
    else
      EXPECT_FALSE(fea.defined());
    backward(test::probe_loss(first, "p1") + test::probe_loss(second, "p2"));
    golden.compare_stat(x.grad(), name + "x_grad_stat", "x");
  }
}

TEST_P(GoldenGrain, FusionMatches) {
  const test::GoldenFile golden("fusion", GetParam());
  Generator generator{1};
  models::Fusion net({}, generator);
  golden.fill(net);
  Tensors decoder, prior;
  std::int64_t side = 8, width = 128;
  for (int i = 0; i < 3; ++i, side *= 2, width /= 2) {
    decoder.push_back(golden.hashed(concat_text("fx", i), {1, 64, side, side}));
    prior.push_back(golden.hashed(concat_text("fy", i), {1, width, side, side}));
  }
  const Tensor image = net(decoder, prior);
  golden.compare(image, "out");
  backward(test::probe_loss(image, "probe.f"));
  for (std::size_t i = 0; i < 3; ++i)
    golden.compare(decoder[i].grad(), concat_text("x", i, "_grad"));
  golden.compare_gradients(net, "grad_stat.");
}

TEST_P(GoldenGrain, PatchDiscriminatorMatches) {
  test::GoldenFile golden("patch_discriminator", GetParam());
  golden.vanishing = 0.1;
  Generator generator{1};
  models::PatchDiscriminator net(generator);
  golden.fill(net);
  const Tensor x = golden.hashed("pd", {2, 3, 64, 64});
  const Tensor out = net(x);
  golden.compare(out, "out");
  backward(test::probe_loss(out, "probe.pd"));
  golden.compare(x.grad(), "x_grad");
  golden.compare_gradients(net, "grad_stat.");
  int buffers = 0;
  for (const auto& [name, buffer] : net.named_buffers())
    if (name.find("running") != std::string::npos) {
      golden.compare(buffer, "buf." + name);
      ++buffers;
    }
  EXPECT_EQ(buffers, 14);
  net.set_training(false);
  golden.compare(net(x), "out_eval");
}

INSTANTIATE_TEST_SUITE_P(Types, GoldenGrain, test::golden_types(), test::golden_type_name);

}  // namespace
}  // namespace mini
