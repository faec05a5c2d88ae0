// The price of bits and the drawing of qualities, which the recipes of rescaling networks share.
#include "train/recipes/rescaling.h"

#include <set>

#include "autograd/functions.h"
#include "infer/scaler.h"
#include "io/image.h"
#include "tensor/view.h"
#include "tests/support/networks.h"
#include "tests/support/support.h"
#include "train/recipes/sain.h"
#include "train/trainer.h"

namespace mini::train {
namespace {
namespace fs = std::filesystem;

const fs::path photos = fs::path(MINI_SOURCE_DIR) / "data/photos";

class RescalingTest : public testing::TestWithParam<const char*> {
 protected:
  TrainConfig config(const std::string& name, std::vector<std::string> assignments) const {
    assignments.push_back("out=" + (folder_.path() / name).string());
    assignments.push_back("data.train=" + (photos / "train").string());
    return parse_config(concat_text(R"({"model": {"network": ")", GetParam(),
                                    R"(", "vanilla_blocks": 1, "growth": 4},
      "data": {"train": "", "patch": 32, "batch": 4, "workers": 0},
      "train": {"steps": 40, "lr": 2e-3, "weight_decay": 0}, "loss": {"latent_scale": 0},
      "codec": {"quality": [60, 80], "draw": "image"}, "memory": "stored",
      "log": {"every": 10, "tensorboard": false}})"),
                        "test.json", folder_.path(), assignments);
  }
  // Bytes of the small images of the photographs that were held out, at quality 75.
  std::size_t bytes_after(const std::string& name,
                          const std::vector<std::string>& assignments) const {
    Trainer trainer(config(name, assignments), {});
    EXPECT_EQ(trainer.run(), Outcome::finished);
    const auto scaler = infer::network_scaler(trainer.network());
    std::size_t bytes = 0;
    for (const char* photo : {"chelsea.png", "coffee.png"}) {
      const Tensor image = io::read_image(photos / "held_out" / photo);
      bytes += io::encode(scaler->downscale(image), io::ImageFormat::jpeg, 75).size();
    }
    return bytes;
  }

  test::TemporaryFolder folder_;
};

TEST_P(RescalingTest, RateMakesFilesSmaller) {
  const std::vector<std::string> small = GetParam() == std::string("sain")
                                             ? std::vector<std::string>{"model.enhanced_blocks=1"}
                                             : std::vector<std::string>{};
  auto priced = small;
  priced.emplace_back("loss.rate=3");
  const std::size_t without = bytes_after("without", small), with = bytes_after("with", priced);
  std::cout << without << " bytes without, " << with << " with loss.rate\n";
  EXPECT_LT(static_cast<double>(with), 0.98 * static_cast<double>(without));
}

INSTANTIATE_TEST_SUITE_P(, RescalingTest, testing::Values("sain", "irn"));

Losses losses_of(RescalingRecipe& recipe, const Batch& batch, std::uint64_t seed,
                 Share share = {}) {
  Generator noise{seed};
  return recipe.losses(0, batch, recipe.variant(0, noise), noise, share);
}

class SainLosses : public testing::Test {
 protected:
  std::shared_ptr<models::InvertibleRescaler> network() {
    Generator generator{1};
    std::shared_ptr<models::InvertibleRescaler> made = test::make_network("sain", {}, generator);
    made->to(DType::float64);
    return made;
  }
  Batch batch() {
    const Tensor image =
        io::to_float(io::read_image(photos / "held_out/chelsea.png"), DType::float64);
    Tensors parts;
    for (const std::int64_t i : {0, 1, 2, 3})
      parts.push_back(ops::narrow(ops::narrow(image, 2, 32 * i, 32), 3, 16 * i, 32));
    const Tensor hr = concat(parts, 0);
    return {hr, quantise(resize_bicubic(hr, 0.5))};
  }
  static SainRecipe::Options with(double rate, std::vector<int> qualities,
                                  SainRecipe::Draw draw = SainRecipe::Draw::step) {
    SainRecipe::Options options;
    options.rate = rate;
    options.qualities = std::move(qualities);
    options.draw = draw;
    options.latent_scale = 0;
    return options;
  }

  Generator generator_{2};
};

// The formula at the top of train/recipes/rescaling.h, where the LR has more contrast than the reference.
TEST_F(SainLosses, RateIsThePriceOfTheBitsBeyondBicubic) {
  const auto net = network();
  Batch images = batch();
  images.lr_reference = quantise(net->downscale(images.hr) * 0.7);
  SainRecipe recipe(with(0.5, {70}), net, generator_);
  const Losses losses = losses_of(recipe, images, 3);
  const Tensor lr = net->downscale(images.hr);
  double excess = 0;
  const auto bits = jpeg_bits(lr, 70).to_vector(),
             reference = jpeg_bits(images.lr_reference, 70).to_vector();
  for (std::size_t i = 0; i < bits.size(); ++i) excess += std::max(0.0, bits[i] - reference[i]);
  EXPECT_GT(excess, 0);
  EXPECT_EQ(losses.terms.back().name, "l_rate");
  EXPECT_NEAR(losses.terms.back().value.item(), 0.5 * excess / 4, 1e-9 * excess);
  SainRecipe free(with(0, {70}), net, generator_);
  EXPECT_NEAR(losses.total.item() - losses_of(free, images, 3).total.item(), 0.5 * excess / 4,
              1e-9 * losses.total.item());
}

// An LR of the same bits costs nothing, and the gradient leaves it alone.
TEST_F(SainLosses, BitsUpToThoseOfBicubicAreFree) {
  const auto net = network();
  Batch images = batch();
  images.lr_reference = net->downscale(images.hr);
  SainRecipe recipe(with(0.5, {70}), net, generator_);
  EXPECT_EQ(losses_of(recipe, images, 3).terms.back().value.item(), 0);
}

TEST_F(SainLosses, WithoutRateThereIsNoTerm) {
  SainRecipe recipe(with(0, {70}), network(), generator_);
  EXPECT_EQ(losses_of(recipe, batch(), 3).terms.back().name, "l_back_rec");
}

// One quality is drawn for each image, so the batch is worth what its images are at theirs.
TEST_F(SainLosses, QualitiesMayBeDrawnForEachImage) {
  const auto net = network();
  const Batch images = batch();
  SainRecipe recipe(with(0, {30, 90}, SainRecipe::Draw::image), net, generator_);
  Generator noise{5};
  EXPECT_FALSE(recipe.variant(0, noise).has_value());
  std::vector<int> drawn;
  std::vector<double> alone;
  for (std::int64_t i = 0; i < 4; ++i) {
    drawn.push_back(noise.next_below(2) == 0 ? 30 : 90);
    const Batch one{ops::narrow(images.hr, 0, i, 1), ops::narrow(images.lr_reference, 0, i, 1)};
    alone.push_back(
        recipe.losses(one, Tensor::zeros({1, 9, 16, 16}, DType::float64), {drawn.back()})
            .total.item());
  }
  EXPECT_EQ(std::set(drawn.begin(), drawn.end()).size(), 2u);
  const double mean = (alone[0] + alone[1] + alone[2] + alone[3]) / 4;
  EXPECT_NEAR(losses_of(recipe, images, 5).total.item(), mean, 1e-12 * mean);

  // Two processes draw the same and take their shares.
  const auto half = [&](std::int64_t i) {
    return losses_of(
               recipe,
               {ops::narrow(images.hr, 0, 2 * i, 2), ops::narrow(images.lr_reference, 0, 2 * i, 2)},
               5, {.index = i, .count = 2})
        .total.item();
  };
  EXPECT_NEAR((half(0) + half(1)) / 2, mean, 1e-12 * mean);
}

}  // namespace
}  // namespace mini::train
