// The networks that judge pictures, and pSp's encoder, against the official implementations.
#include <cmath>

#include "autograd/engine.h"
#include "models/perceptual/ir_se50.h"
#include "models/perceptual/lpips.h"
#include "models/psp/degradation.h"
#include "models/psp/encoder.h"
#include "tests/golden/file.h"

namespace mini {
namespace {

using Filling = test::GoldenFile::Filling;
using GoldenPerceptual = test::GoldenTest;

struct Encoder : models::PspEncoder {
  using models::IrSe50Trunk::after_units;
  using models::PspEncoder::PspEncoder;
};

TEST_P(GoldenPerceptual, IrSe50Matches) {
  const test::GoldenFile golden("ir_se50", GetParam());
  Generator generator{1};
  models::IrSe50 net(generator);
  golden.fill(net, [](const std::string& name, const Tensor& tensor) {
    return test::GoldenFile::usual(name, tensor, 1.7);
  });
  const Tensor face = golden.hashed("face", {1, 3, 256, 256});
  golden.compare_stat(models::IrSe50::crop(face), "pooled_stat", "c");
  const Tensor embedding = net(face);
  golden.compare(embedding, "embedding");
  backward(test::probe_loss(embedding, "probe.id"));
  golden.compare_stat(face.grad(), "x_grad_stat", "x");
}

TEST_P(GoldenPerceptual, LpipsMatches) {
  const test::GoldenFile golden("lpips_alex", GetParam());
  Generator generator{1};
  models::Lpips net(generator);
  golden.fill(net, [](const std::string& name, const Tensor& tensor) {
    if (name.starts_with("lin"))  // lin0.model.1.weight
      return Filling{.absolute = true, .key = concat_text("lin.", name[3], ".1.weight")};
    Filling filling = test::GoldenFile::usual(name, tensor, 1.7);
    filling.key = "layers" + name.substr(name.find('.'));
    return filling;
  });
  const Tensor x = golden.stored("x");
  const Tensor distance = net(x, golden.hashed("ly", {2, 3, 96, 96}).detach());
  golden.compare(distance, "lpips");
  backward(distance);
  golden.compare(x.grad(), "x_grad");
}

TEST_P(GoldenPerceptual, PspEncoderMatches) {
  const test::GoldenFile golden("psp_encoder", GetParam());
  const auto number = [&](const char* key) {
    return std::stoll(golden.content().metadata.at(key));
  };
  const double gain = std::stod(golden.content().metadata.at("gain"));
  Generator generator{1};
  Encoder net({.width = number("width"), .styles = number("n_styles")}, generator);
  golden.fill(net, [&](const std::string& name, const Tensor& tensor) {
    if (name.ends_with("linear.weight")) return Filling{.scale = std::sqrt(3.0)};
    if (tensor.rank() == 1 && name.ends_with(".weight"))
      return Filling{.scale = 0.1, .shift = name.ends_with(".2.weight") ? 0.25 : 1.0};
    return test::GoldenFile::usual(name, tensor, gain);
  });
  const std::int64_t side = number("side");
  const Tensor x = golden.hashed("input.x", {number("batch"), 3, side, side});

  net.set_training(false);
  const Tensor codes = net(x);
  golden.compare(codes, "codes");
  const auto levels = net.after_units(x, {6, 20, 23});
  golden.compare_means(levels[0], "c6_mean");
  golden.compare_means(levels[1], "c20_mean");
  golden.compare_means(levels[2], "c23_mean");
  const Tensor loss = test::probe_loss(codes, "probe.codes", golden.salt());
  golden.compare(loss, "loss");
  backward(loss);
  if (golden.compares_gradients()) {
    golden.compare_stat(x.grad(), "x_grad_stat", "x");
    golden.compare_gradients(net, "grad_stat.", false);
  }
  net.set_training(true);
  golden.compare(net(x), "train.codes");

  golden.compare(models::code_distance(golden.hashed("input.latent", {2, 4, 8}),
                                       golden.hashed("input.avg", {4, 8})),
                 "w_norm");
}

TEST_P(GoldenPerceptual, PspMakesPicturesSmallAlike) {
  const test::GoldenFile golden("psp_encoder", GetParam());
  const Tensor picture = golden.hashed("input.down", {1, 3, 32, 32}) * 0.5 + 0.5;
  golden.compare(models::psp_downsample(picture, 2), "down2");
  golden.compare(models::psp_downsample(picture, 4), "down4");
}

INSTANTIATE_TEST_SUITE_P(Types, GoldenPerceptual, test::golden_types(), test::golden_type_name);

}  // namespace
}  // namespace mini
