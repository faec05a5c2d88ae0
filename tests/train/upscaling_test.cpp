// The recipe of ordinary upscalers: its losses, every network trained by it, resumed runs, and the
// papers' configurations.
#include "train/recipes/upscaling.h"

#include <cmath>

#include "infer/picture.h"
#include "io/image.h"
#include "io/safetensors.h"
#include "tensor/parallel.h"
#include "tests/support/support.h"
#include "train/trainer.h"

namespace mini::train {
namespace {
namespace fs = std::filesystem;

class UpscalingTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    set_threads(1);  // the networks are too small for several threads
    const fs::path photos = folder_.path() / "photos";
    fs::create_directories(photos);
    Generator generator{1, 0};
    for (const int i : {0, 1, 2}) {
      const Tensor noise = ops::uniform(generator, {1, 3, 8, 10});
      io::write_image(photos / concat_text("photo", i, ".png"),
                      infer::enlarge(io::to_image(noise), 4));
    }
  }

  TrainConfig config(const std::string& name, std::int64_t steps) const {
    const std::string text = concat_text(R"({
      "model": {)",
                                         GetParam(), R"(},
      "data": {"train": "photos", "patch": 16, "batch": 2},
      "train": {"steps": )",
                                         steps, R"(, "lr": 2e-3, "weight_decay": 0},
      "validation": {"folders": "photos", "every": 20, "images": 1},
      "checkpoint": {"every": 20, "keep_last": 9}, "log": {"every": 1}})");
    const std::vector<std::string> assignments{"out=" + (folder_.path() / name).string()};
    return parse_config(text, "test.json", folder_.path(), assignments);
  }
  Outcome train(const TrainConfig& config, TrainerOptions options = {}, std::int64_t stop_at = -1) {
    const Trainer* running = nullptr;
    options.stop = [&] { return running->step() == stop_at; };
    Trainer trainer(config, std::move(options));
    running = &trainer;
    return trainer.run();
  }
  // The loss on one batch, with the weights of a checkpoint.
  double loss_at(const std::string& name, std::int64_t step, const TrainConfig& config) const {
    Generator generator{1};
    std::shared_ptr<models::Rescaler> network = config.model.make(generator);
    nn::StateDict weights;
    for (const auto& [key, tensor] :
         io::read_safetensors(checkpoint_path(folder_.path() / name, step)).tensors)
      if (key.starts_with("model.")) weights[key.substr(6)] = tensor;
    network->load_state_dict(weights);
    const NoGrad no_grad;
    const Batch batch = BatchMaker(config.data, 7).make(0);
    return config.recipe.make(network, generator)->losses(0, batch, 0, generator, {}).total.item();
  }

  test::TemporaryFolder folder_;
};

TEST_P(UpscalingTest, LossFallsAndAResumedRunEqualsTheOneNeverStopped) {
  const TrainConfig whole = config("whole", 40);
  EXPECT_EQ(whole.recipe.name(), UpscalingRecipe::recipe);
  ASSERT_EQ(train(whole), Outcome::finished);
  EXPECT_LT(loss_at("whole", 40, whole), 0.9 * loss_at("whole", 20, whole) + 0.01);

  ASSERT_EQ(train(config("parts", 40), {}, 13), Outcome::stopped);
  ASSERT_EQ(train(config("parts", 40), {.resume = folder_.path() / "parts"}), Outcome::finished);
  const auto a = io::read_safetensors(checkpoint_path(folder_.path() / "whole", 40)).tensors;
  const auto b = io::read_safetensors(checkpoint_path(folder_.path() / "parts", 40)).tensors;
  ASSERT_EQ(a.size(), b.size());
  for (const auto& [name, tensor] : a) EXPECT_TRUE(test::equal_bits(tensor, b.at(name))) << name;
}

INSTANTIATE_TEST_SUITE_P(
    Networks, UpscalingTest,
    testing::Values(R"("network": "edsr", "blocks": 1, "features": 4, "residual_scale": 1)",
                    R"("network": "rdn", "blocks": 1, "layers": 2, "growth": 4, "features": 4)",
                    R"("network": "rcan", "groups": 1, "blocks": 1, "features": 4, "reduction": 2)",
                    R"("network": "rrdb", "scale": 4, "blocks": 1, "features": 4, "growth": 2)"));

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

TEST(UpscalingConfigurations, AreThePapersNetworks) {
  const std::pair<const char*, std::int64_t> parameters[] = {
      {"edsr", 40'729'603}, {"rdn", 22'123'395}, {"rcan", 15'444'643}, {"rrdb", 16'697'987}};
  for (const auto& [name, count] : parameters) {
    const TrainConfig config =
        load_config(fs::path(MINI_SOURCE_DIR) / "configs" / concat_text(name, ".json"));
    Generator generator{1};
    EXPECT_EQ(config.model.name(), name);
    EXPECT_EQ(config.recipe.name(), UpscalingRecipe::recipe);
    EXPECT_TRUE(config.unused.empty()) << name;
    EXPECT_EQ(config.model.make(generator)->parameter_count(), count);
  }
}

}  // namespace
}  // namespace mini::train
