// The recipe of StyleGAN2: it learns a toy distribution, resumes to the bit, and GRAIN reads it.
#include "train/recipes/stylegan2.h"

#include <cmath>

#include "autograd/node.h"
#include "infer/weights.h"
#include "io/image.h"
#include "io/safetensors.h"
#include "tests/support/support.h"
#include "tests/train/train_until.h"
#include "train/trainer.h"

namespace mini::train {
namespace {
namespace fs = std::filesystem;

constexpr std::int64_t side = 32;

// Pictures of one colour each, on a line between two colours: what a generator can learn at once.
Tensor plain_picture(double share) {
  Tensor image = Tensor::empty({side, side, 3}, DType::uint8);
  const double from[] = {200, 60, 40}, to[] = {230, 110, 60};
  auto* const pixel = image.data<std::uint8_t>();
  for (std::int64_t i = 0; i < image.numel(); ++i)
    pixel[i] = static_cast<std::uint8_t>(from[i % 3] + share * (to[i % 3] - from[i % 3]));
  return image;
}

class StyleGan2Training : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(folder_.path() / "pictures");
    for (int i = 0; i < 8; ++i)
      io::write_image(folder_.path() / "pictures" / concat_text(i, ".png"), plain_picture(i / 7.0));
  }
  TrainConfig config(const std::string& name, std::int64_t steps) const {
    const std::string text = concat_text(R"({
      "model": {"network": "stylegan2", "scale": 32, "style": 16, "mapping_layers": 2,
                "max_channels": 16},
      "data": {"train": "pictures", "patch": 32, "batch": 4},
      "train": {"steps": )",
                                         steps, R"(, "lr": 5e-3, "beta1": 0, "beta2": 0.99,
                "weight_decay": 0, "clip_norm": 0, "ema": 0.9},
      "validation": {"folders": []},
      "checkpoint": {"every": 1000, "keep_last": 9}, "log": {"every": 1}})");
    const std::vector<std::string> assignments{"out=" + (folder_.path() / name).string()};
    return parse_config(text, "test.json", folder_.path(), assignments);
  }
  // How far the mean colour of drawn pictures is from that of the data, in units of 1.
  static double distance(const models::Rescaler& network) {
    const NoGrad no_grad;
    Generator generator{5};
    const Tensor images = network.upscale(Tensor::zeros({16, 3, 1, 1}), &generator);
    constexpr std::array<int, 3> all_but_colour{0, 2, 3};
    const auto colour = mean(images, all_but_colour).to_vector();
    const double wanted[] = {215 / 255.0, 85 / 255.0, 50 / 255.0};
    double square = 0;
    for (std::size_t c = 0; c < 3; ++c) square += std::pow(colour[c] - wanted[c], 2);
    return std::sqrt(square);
  }

  test::TemporaryFolder folder_;
};

TEST_F(StyleGan2Training, LearnsAToyDistribution) {
  const TrainConfig c = config("run", 200);
  Generator generator{1};
  const double before = distance(*c.model.make(generator));
  ASSERT_EQ(train(c), Outcome::finished);
  const fs::path path = checkpoint_path(c.out, c.steps);
  const nn::StateDict weights = infer::read_weights(path);
  const models::NetworkConfig found = models::recognise_network(weights);
  EXPECT_EQ(found.name(), "stylegan2");
  const auto network = found.make(generator);
  network->load_state_dict(weights);
  EXPECT_GT(before, 0.3);
  EXPECT_LT(distance(*network), 0.1);
  EXPECT_TRUE(weights.contains("latent_avg"));
}

TEST_F(StyleGan2Training, AResumedRunEqualsTheOneNeverStopped) {
  ASSERT_EQ(train(config("whole", 18)), Outcome::finished);
  ASSERT_EQ(train(config("parts", 18), {}, 14), Outcome::stopped);
  ASSERT_EQ(train(config("parts", 18), {.resume = folder_.path() / "parts"}), Outcome::finished);
  const auto a = io::read_safetensors(checkpoint_path(folder_.path() / "whole", 18)).tensors;
  const auto b = io::read_safetensors(checkpoint_path(folder_.path() / "parts", 18)).tensors;
  ASSERT_EQ(a.size(), b.size());
  for (const auto& [name, tensor] : a) EXPECT_TRUE(test::equal_bits(tensor, b.at(name))) << name;
}

TEST(StyleGan2Configuration, IsThePapers) {
  const TrainConfig c = load_config(fs::path(MINI_SOURCE_DIR) / "configs/stylegan2.json");
  EXPECT_EQ(c.recipe.name(), StyleGan2Recipe::recipe);
  EXPECT_TRUE(c.unused.empty());
  EXPECT_EQ(c.model.scale(), 256);
  const auto& options = c.recipe.options<StyleGan2Recipe::Options>();
  EXPECT_EQ(options.r1_gamma, 10);
  EXPECT_EQ(options.path_weight, 2);
}

}  // namespace
}  // namespace mini::train
