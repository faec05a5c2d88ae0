// StyleGAN2 and what judges its pictures: sizes, noise, batches, errors.
#include <gtest/gtest.h>

#include "autograd/functions.h"
#include "autograd/node.h"
#include "models/perceptual/ir_se50.h"
#include "models/perceptual/lpips.h"
#include "models/psp/encoder.h"
#include "models/stylegan2/discriminator.h"
#include "models/stylegan2/generator.h"
#include "tensor/view.h"
#include "tests/support/support.h"

namespace mini {
namespace {

using models::StyleGan2Discriminator;
using models::StyleGan2Generator;
using models::StyleGan2Options;

constexpr StyleGan2Options tiny{.size = 32, .style = 24, .mapping_layers = 2, .max_channels = 16};

TEST(StyleGan2, HasThePortsSizes) {
  Generator generator{1};
  const StyleGan2Generator net({}, generator);
  EXPECT_EQ(net.parameter_count(), 30'370'060);
  EXPECT_EQ(net.named_buffers().size(), 17u + 8u + 8u);  // noises, filters of convs and to_rgbs
  EXPECT_EQ(StyleGan2Discriminator({.size = 256}, generator).parameter_count(), 28'864'129);
  EXPECT_EQ(StyleGan2Discriminator({}, generator).parameter_count(), 29'012'513);
}

TEST(StyleGan2, MakesPicturesOfEverySize) {
  Generator generator{1};
  const NoGrad no_grad;
  for (const std::int64_t size : {8, 32, 128}) {
    StyleGan2Options options = tiny;
    options.size = size;
    const StyleGan2Generator net(options, generator);
    const Tensor codes = ops::normal(generator, {2, options.codes(), options.style});
    const auto result = net(codes);
    EXPECT_EQ(result.image.shape(), (Shape{2, 3, size, size}));
    EXPECT_EQ(result.features.front().shape(), (Shape{2, 16, 4, 4}));
    EXPECT_EQ(result.features.back().shape(), (Shape{2, 16, size, size}));
    EXPECT_EQ(StyleGan2Discriminator(options, generator)(result.image).shape(), (Shape{2, 1}));
  }
}

// One convolution serves all samples of a batch, and a single sample has a way of its own.
TEST(StyleGan2, TreatsSamplesOfABatchAlike) {
  Generator generator{1};
  const NoGrad no_grad;
  StyleGan2Generator net(tiny, generator);
  net.to(DType::float64);
  const Tensor codes = ops::normal(generator, {3, tiny.codes(), tiny.style}, DType::float64);
  const Tensor images = net(codes).image;
  for (std::int64_t n = 0; n < 3; ++n)
    EXPECT_LT(
        test::relative_error(net(ops::narrow(codes, 0, n, 1)).image, ops::narrow(images, 0, n, 1)),
        1e-12);
}

TEST(StyleGan2, DrawsNoiseOnlyWhenAsked) {
  Generator generator{1}, first{2}, again{2}, other{3};
  const NoGrad no_grad;
  StyleGan2Generator net(tiny, generator);
  for (const auto& [name, parameter] : net.named_parameters())
    if (name.ends_with("noise.weight")) ops::fill(parameter, 0.5);
  const Tensor codes = ops::normal(generator, {1, tiny.codes(), tiny.style});
  EXPECT_TRUE(test::equal_bits(net(codes).image, net(codes).image));
  const Tensor image = net(codes, &first).image;
  EXPECT_TRUE(test::equal_bits(image, net(codes, &again).image));
  EXPECT_GT(test::relative_error(image, net(codes, &other).image), 0.01);
  EXPECT_GT(test::relative_error(image, net(codes).image), 0.01);
}

TEST(StyleGan2, NamesWhatDoesNotFit) {
  Generator generator{1};
  EXPECT_EQ(test::error_of([&] { StyleGan2Generator({.size = 48}, generator); }),
            "stylegan2: size must be a power of two from 8 to 1024, got 48");
  const StyleGan2Generator net(tiny, generator);
  EXPECT_EQ(test::error_of([&] {
              net(Tensor::zeros({1, 7, 24}));
            }),
            "stylegan2: needs codes [N,8,24], got [1,7,24]");
  const StyleGan2Discriminator judge(tiny, generator);
  EXPECT_EQ(test::error_of([&] {
              judge(Tensor::zeros({1, 3, 16, 16}));
            }),
            "stylegan2 discriminator: needs images [N,3,32,32], got [1,3,16,16]");
}

TEST(Perceptual, NetworksHaveTheOfficialSizes) {
  Generator generator{1};
  EXPECT_EQ(models::IrSe50(generator).parameter_count(), 43'797'696);
  // AlexNet's convolutions, and a weight for each channel.
  EXPECT_EQ(models::Lpips(generator).parameter_count(), 2'469'696 + 1'152);
}

TEST(Perceptual, EqualPicturesAreEqual) {
  Generator generator{1};
  const models::Lpips lpips(generator);
  const Tensor x = ops::normal(generator, {1, 3, 40, 40});
  EXPECT_EQ(lpips(x, x).to_vector()[0], 0);
  const models::IrSe50 faces(generator);
  EXPECT_NEAR(identity_loss(faces, x, x).to_vector()[0], 0, 1e-6);
  EXPECT_FALSE(faces.training());
}

TEST(Psp, HasTheOfficialSize) {
  Generator generator{1};
  const std::int64_t of_block[] = {models::StyleBlock(512, 4, generator).parameter_count(),
                                   models::StyleBlock(512, 5, generator).parameter_count(),
                                   models::StyleBlock(512, 6, generator).parameter_count()};
  EXPECT_EQ(of_block[0], 9'701'888);
  EXPECT_EQ(of_block[1], 12'061'696);
  EXPECT_EQ(of_block[2], 14'421'504);
  // With 18 styles it would take a gigabyte; their number is all that grows.
  const std::int64_t with_one = models::PspEncoder({.styles = 1}, generator).parameter_count();
  EXPECT_EQ(with_one + 2 * of_block[0] + 4 * of_block[1] + 11 * of_block[2], 267'136'704);
}

TEST(Psp, NamesAnImageThatIsTooLarge) {
  Generator generator{1};
  const models::PspEncoder net({.width = 16, .styles = 1}, generator);
  EXPECT_TRUE(test::error_of([&] {
                net(Tensor::zeros({1, 3, 512, 512}));
              }).starts_with("psp: the image is too large: its codes have 2x2 pixels"));
}

}  // namespace
}  // namespace mini
