// The recipe of ordinary upscalers, and the papers' configurations of all networks.
#include "train/recipes/upscaling.h"

#include <cmath>
#include <set>

#include "autograd/engine.h"
#include "autograd/functions.h"
#include "io/image.h"
#include "models/upscale/edsr.h"
#include "tensor/allocator.h"
#include "tests/support/support.h"
#include "train/config.h"

namespace mini::train {
namespace {
namespace fs = std::filesystem;

TEST(UpscalingRecipe, MeasuresTheMeanDistance) {
  Generator generator{1};
  const models::NetworkConfig network("edsr");
  Batch batch{Tensor::full({1, 3, 4, 4}, 0.5), Tensor::full({1, 3, 2, 2}, 0.25)};
  const auto loss = [&](const char* distance) {
    RecipeConfig recipe(UpscalingRecipe::recipe);
    for (const nn::Field& field : recipe.fields())
      for (std::size_t i = 0; i < field.choices.size(); ++i)
        if (field.choices[i] == distance) std::get<nn::Choice>(field.value).set(i);
    // A network that gives its input plus 1/8, enlarged.
    struct Nearest : models::Rescaler {
      std::string name() const override { return "nearest"; }
      std::int64_t scale() const override { return 2; }
      Tensor upscale(const Tensor& lr, Generator* /*generator*/, int /*quality*/) const override {
        return Tensor::full({1, 3, 4, 4}, lr.to_vector()[0] + 0.125);
      }
    };
    return recipe.make(std::make_shared<Nearest>(), generator)
        ->losses(0, batch, 0, generator, {})
        .total.item();
  };
  const double d = 0.5 - (std::nearbyint(0.25 * 255) / 255 + 0.125);
  EXPECT_NEAR(loss("l1"), d, 1e-6);
  EXPECT_NEAR(loss("charbonnier"), d, 1e-6);
  EXPECT_NEAR(loss("l2"), d * d, 1e-6);
}

// A network that keeps what it is given.
struct Listener : models::Rescaler {
  std::string name() const override { return "listener"; }
  std::int64_t scale() const override { return 2; }
  Tensor upscale(const Tensor& lr, Generator* /*generator*/, int /*quality*/) const override {
    heard = lr;
    return resize_bicubic(lr, 2);
  }
  mutable Tensor heard;
};

TEST(UpscalingRecipe, ShowsTheNetworkWhatTheCodecMakesOfLr) {
  Generator generator{1};
  const Batch batch{ops::uniform(generator, {2, 3, 32, 32}),
                    ops::uniform(generator, {2, 3, 16, 16})};
  const auto network = std::make_shared<Listener>();
  const Tensor lr = quantise(batch.lr_reference);
  UpscalingRecipe without({}, network, generator);
  without.losses(0, batch, without.variant(0, generator), generator, {});
  EXPECT_TRUE(test::equal_bits(network->heard, lr));
  UpscalingRecipe with({.codec = {.format = io::ImageFormat::webp, .qualities = {10, 90}}}, network,
                       generator);
  std::set<int> drawn;
  for (int i = 0; i < 20; ++i) {
    const auto quality = with.variant(0, generator);
    drawn.insert(*quality);
    with.losses(0, batch, quality, generator, {});
    EXPECT_TRUE(
        test::equal_bits(network->heard, io::codec_roundtrip(lr, io::ImageFormat::webp, *quality)));
  }
  EXPECT_EQ(drawn, (std::set<int>{10, 90}));
}

TEST(UpscalingRecipe, CheckpointsTakeLessMemory) {
  const auto peak = [](BlockMemory memory) {
    Generator generator{1};
    const models::NetworkConfig network("edsr", models::EdsrOptions{.blocks = 16, .features = 8});
    UpscalingRecipe recipe({.memory = memory}, network.make(generator), generator);
    const Batch batch{ops::uniform(generator, {1, 3, 32, 32}),
                      ops::uniform(generator, {1, 3, 16, 16})};
    backward(recipe.losses(0, batch, 0, generator, {}).total);  // the gradients are there now
    const std::size_t before = allocator({}).stats().live;
    allocator({}).reset_peak();
    backward(recipe.losses(0, batch, 0, generator, {}).total);
    return allocator({}).stats().peak - before;
  };
  EXPECT_LT(peak(BlockMemory::checkpoint), 0.7 * static_cast<double>(peak(BlockMemory::stored)));
}

TEST(Configurations, AreThePapersNetworks) {
  const std::pair<const char*, std::int64_t> parameters[] = {
      {"srcnn", 57'281},     {"edsr", 40'729'603}, {"rdn", 22'123'395},
      {"rcan", 15'444'643},  {"rrdb", 16'697'987}, {"car", 10'645'651 + 40'729'603},
      {"hcflow", 4'396'206}, {"tirn", 1'571'061},  {"tsain", 2'094'748},
      {"compact", 621'424}};
  for (const auto& [name, count] : parameters) {
    const TrainConfig config =
        load_config(fs::path(MINI_SOURCE_DIR) / "configs" / concat_text(name, ".json"));
    Generator generator{1};
    EXPECT_EQ(config.model.name(), name);
    EXPECT_EQ(config.recipe.name(), config.model.recipe());
    EXPECT_TRUE(config.unused.empty()) << name;
    EXPECT_EQ(config.model.make(generator)->parameter_count(), count) << name;
  }
}

}  // namespace
}  // namespace mini::train
