// GRAIN's modules: the official numbers of parameters, every size, errors.
#include "models/grain/grain.h"

#include <cmath>
#include <gtest/gtest.h>
#include <string>
#include <utility>
#include <vector>

#include "autograd/functions.h"
#include "autograd/node.h"
#include "tests/support/support.h"

namespace mini {
namespace {

using models::GrainOptions;

TEST(Grain, ModulesHaveTheOfficialSizes) {
  Generator generator{1};
  EXPECT_EQ(models::InvRrdbEncoder({}, generator).parameter_count(), 7'493'187);
  EXPECT_EQ(models::InvRrdbDecoder({}, generator).parameter_count(), 9'300'163);
  EXPECT_EQ(models::Fea2Code({}, generator).parameter_count(), 34'053'312);
  EXPECT_EQ(models::Fusion({}, generator).parameter_count(), 1'048'835);
  // 82.3 million with StyleGAN2.
  EXPECT_EQ(models::Grain({}, generator).parameter_count(),
            7'493'187 + 9'300'163 + 34'053'312 + 1'048'835 + 30'370'060);
}

TEST(Grain, ModulesFitTogetherAtEverySize) {
  Generator generator{1};
  const NoGrad no_grad;
  for (const std::int64_t size : {64, 128}) {
    const GrainOptions options{
        .size = size, .features = 16, .growth = 8, .code = 32, .max_channels = 16};
    const models::InvRrdb rescaler(options, generator);
    const models::StyleGan2Generator prior(options.stylegan2(), generator);
    const models::Fea2Code fea2code(options, generator);
    const models::Fusion fusion(options, generator);
    const Tensor lr = rescaler.encoder(ops::normal(generator, {1, 3, size, size}));
    EXPECT_EQ(lr.shape(), (Shape{1, 3, size / 64, size / 64}));
    const auto [image, features] = rescaler.decoder(lr);
    EXPECT_EQ(image.shape(), (Shape{1, 3, size, size}));
    const Tensor codes = fea2code(features);
    EXPECT_EQ(codes.shape(), (Shape{1, options.stylegan2().codes(), 32}));
    EXPECT_EQ(fusion(features, prior(codes).features).shape(), (Shape{1, 3, size, size}));
  }
}

TEST(Grain, EachStageGivesThePictureThatItTrains) {
  for (const std::int64_t stage : {1, 2, 3, 4}) {
    Generator generator{1}, first{2}, again{2};
    const NoGrad no_grad;
    const models::Grain net(
        {.size = 64, .stage = stage, .features = 16, .growth = 8, .code = 32, .max_channels = 16},
        generator);
    const Tensor lr = net.downscale(ops::uniform(generator, {1, 3, 64, 64}));
    EXPECT_EQ(lr.shape(), (Shape{1, 3, 1, 1}));
    EXPECT_EQ(net.upscale(lr).shape(), (Shape{1, 3, 64, 64}));
    EXPECT_TRUE(test::equal_bits(net.upscale(lr), net.upscale(lr)));
    EXPECT_TRUE(test::equal_bits(net.upscale(lr, &first), net.upscale(lr, &again)));
    const auto pictures = net.decode(lr * 2.0 - 1.0);
    EXPECT_EQ(pictures.prior.defined(), stage > 1);
    EXPECT_EQ(pictures.fused.defined(), stage > 2);
    EXPECT_TRUE(test::equal_bits(pictures.best() * 0.5 + 0.5, net.upscale(lr)));
    // The weights say what they are of.
    const auto found = models::Grain::recognise(net.state_dict());
    ASSERT_TRUE(found.has_value());
    EXPECT_EQ(models::Grain(*found, generator).parameter_count(), net.parameter_count());
  }
}

TEST(Grain, ReadsTheOfficialNames) {
  Generator generator{1};
  models::Grain net({.size = 64, .features = 16, .growth = 8, .code = 32, .max_channels = 16},
                    generator);
  const auto spelled = [&](const std::vector<std::pair<std::string, std::string>>& prefixes) {
    nn::StateDict theirs;
    for (const auto& [name, tensor] : net.state_dict()) {
      std::string spelling = name;
      for (const auto& [ours, other] : prefixes)
        if (name.starts_with(ours)) spelling = other + name.substr(ours.size());
      theirs[spelling] = tensor;
    }
    return theirs;
  };
  const nn::StateDict own = net.state_dict();
  for (const auto& theirs : {spelled({{"rescaler.", "state_dict1."},
                                      {"fea2code.", "state_dict2."},
                                      {"fusion.", "state_dict3."},
                                      {"stylegan2.", "g_ema."}}),
                             spelled({{"rescaler.", "state_dict."},
                                      {"fea2code.", "state_dict."},
                                      {"fusion.", "state_dict."},
                                      {"stylegan2.", "g_ema."}}),
                             spelled({{"rescaler.", ""}, {"fea2code.", ""}, {"fusion.", ""}})}) {
    EXPECT_TRUE(models::Grain::recognise(theirs).has_value());
    const nn::StateDict ours = net.translate(theirs);
    ASSERT_EQ(ours.size(), own.size());
    for (const auto& [name, tensor] : own) EXPECT_TRUE(ours.contains(name)) << name;
  }
}

TEST(Grain, LrIsWhatAFileCanHold) {
  Generator generator{1}, noise{2};
  const Tensor lr = ops::normal(generator, {1, 3, 4, 4});
  for (const double value : models::quantise_lr(lr).to_vector()) {
    const double step = (value + 1) / 2 * 255;
    EXPECT_NEAR(step, std::round(step), 1e-4);
    EXPECT_LE(std::abs(value), 1);
  }
  // The noise of training is at most half a step, as the rounding error is.
  EXPECT_LE(test::max_difference(models::quantise_lr(lr, &noise), clamp(lr, -1, 1)),
            1.0 / 255 + 1e-6);
}

TEST(Grain, NamesWhatDoesNotFit) {
  Generator generator{1};
  EXPECT_EQ(test::error_of([&] { models::Fusion({.size = 96}, generator); }),
            "grain: size must be 64, 128, 256, 512 or 1024, got 96");
  const models::InvRrdbEncoder encoder({}, generator);
  EXPECT_EQ(test::error_of([&] {
              encoder(Tensor::zeros({1, 3, 64, 65}));
            }),
            "inv_rrdb: needs images [N,3,H,W] with sides that are multiples of 64, got "
            "[1,3,64,65]; crop or resize them");
  const models::Fea2Code fea2code({.size = 64}, generator);
  EXPECT_TRUE(test::error_of([&] {
                fea2code({Tensor::zeros({1, 64, 16, 16})});
              }).starts_with("fea2code: there is no feature of side 64"));
}

}  // namespace
}  // namespace mini
