// The recipe of GRAIN: all four stages in turn, small, on photographs of the project; resumed runs;
// what is missing.
#include "train/recipes/grain.h"

#include "infer/picture.h"
#include "infer/scaler.h"
#include "infer/weights.h"
#include "io/image.h"
#include "io/safetensors.h"
#include "tests/support/support.h"
#include "tests/train/train_until.h"
#include "train/trainer.h"

namespace mini::train {
namespace {
namespace fs = std::filesystem;

constexpr std::int64_t side = 64;

class GrainTest : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(folder_.path() / "photos");
    for (const char* name : {"astronaut", "chelsea", "coffee"}) {
      const fs::path photo =
          fs::path(MINI_SOURCE_DIR) / "data/photos/train" / concat_text(name, ".png");
      io::write_image(folder_.path() / "photos" / photo.filename(),
                      infer::crop_middle(io::read_image(photo), side, side));
    }
  }

  TrainConfig config(int stage, const std::string& name, std::int64_t steps,
                     std::vector<std::string> assignments = {}) const {
    const std::string text = concat_text(R"({
      "model": {"network": "grain", "size": 64, "features": 16, "growth": 8, "code": 32,
                "max_channels": 16, "stage": )",
                                         stage, R"(},
      "data": {"train": "photos", "patch": 64, "batch": 2, "flip": false, "transpose": false},
      "train": {"steps": )",
                                         steps, R"(, "optimizer": "ranger", "lr": 2e-3,
                "beta1": 0.95, "eps": 1e-5, "weight_decay": 0},
      "loss": {"lambda_perceptual": 0.1, "lambda_identity": 0}, "pretrained": "random",
      "validation": {"folders": []},
      "checkpoint": {"every": 15, "keep_last": 9}, "log": {"every": 1}})");
    if (stage > 1)
      assignments.push_back("weights.previous=" + out(concat_text("stage", stage - 1)));
    assignments.push_back("out=" + out(name));
    return parse_config(text, "test.json", folder_.path(), assignments);
  }
  std::string out(const std::string& name) const { return (folder_.path() / name).string(); }
  // The generator's loss without the adversary, on one batch, with the weights of a checkpoint.
  double loss_at(const TrainConfig& config, std::int64_t step) const {
    Generator generator{1};
    const auto recipe = config.recipe.make(config.model.make(generator), generator);
    nn::StateDict weights;
    for (const auto& [key, tensor] :
         io::read_safetensors(checkpoint_path(config.out, step)).tensors)
      if (key.starts_with("model.")) weights[key.substr(6)] = tensor;
    recipe->modules().load_state_dict(weights);
    const NoGrad no_grad;
    double loss = 0;
    for (const LossTerm& term :
         recipe->losses(0, BatchMaker(config.data, 7).make(0), 0, generator, {}).terms)
      if (term.name == "mse") loss = term.value.item();
    return loss;
  }

  // As mini_infer would: the weights of the last checkpoint say which network they are of.
  void round_trip(const TrainConfig& config) const {
    const nn::StateDict weights = infer::read_weights(checkpoint_path(config.out, config.steps));
    Generator generator{1};
    const auto network = models::recognise_network(weights).make(generator);
    network->load_state_dict(weights);
    const Tensor photo = io::read_image(folder_.path() / "photos" / "coffee.png");
    const auto scaler = infer::network_scaler(*network);
    const auto result = infer::round_trip(*scaler, photo, io::ImageFormat::png, 100);
    EXPECT_EQ(result.lr.shape(), (Shape{side / 64, side / 64, 3}));
    EXPECT_EQ(result.hr.shape(), photo.shape());
    EXPECT_TRUE(test::equal_bits(result.hr,
                                 infer::round_trip(*scaler, photo, io::ImageFormat::png, 100).hr));
  }

  test::TemporaryFolder folder_;
};

TEST_F(GrainTest, FourStagesLearnFromEachOther) {
  constexpr std::int64_t steps = 30, half = 15;
  for (int stage = 1; stage <= 4; ++stage) {
    const TrainConfig run = config(stage, concat_text("stage", stage), steps);
    ASSERT_EQ(train(run), Outcome::finished) << stage;
    EXPECT_LT(loss_at(run, steps), loss_at(run, half)) << stage;
  }
  round_trip(config(4, "stage4", steps));
}

TEST_F(GrainTest, AResumedRunEqualsTheOneNeverStopped) {
  // After 13 steps the discriminator is in the middle of its turn, and R1 is to come, in step 16.
  for (int stage : {1, 2}) {
    const std::string whole = concat_text("stage", stage), parts = concat_text("parts", stage);
    ASSERT_EQ(train(config(stage, whole, 18)), Outcome::finished);
    ASSERT_EQ(train(config(stage, parts, 18), {}, 13), Outcome::stopped);
    ASSERT_EQ(train(config(stage, parts, 18), {.resume = folder_.path() / parts}),
              Outcome::finished);
    const auto a = io::read_safetensors(checkpoint_path(folder_.path() / whole, 18)).tensors;
    const auto b = io::read_safetensors(checkpoint_path(folder_.path() / parts, 18)).tensors;
    ASSERT_EQ(a.size(), b.size());
    for (const auto& [name, tensor] : a) EXPECT_TRUE(test::equal_bits(tensor, b.at(name))) << name;
  }
}

TEST_F(GrainTest, OnlyWhatItsStageTrainsChanges) {
  const std::vector<std::string> trained[] = {
      {"rescaler."}, {"fea2code."}, {"fusion."}, {"rescaler.", "fea2code.", "fusion."}};
  for (int stage = 1; stage <= 4; ++stage) {
    Generator generator{1};
    const TrainConfig c = config(1, "unused", 1, {concat_text("model.stage=", stage)});
    const auto recipe = c.recipe.make(c.model.make(generator), generator);
    std::set<std::string> parts;
    for (const Update& update : recipe->updates()) {
      EXPECT_EQ(update.optimizer, update.name == "generator" ? "generator" : "discriminator");
      for (const auto& [name, parameter] : update.parameters)
        if (update.name == "generator")
          parts.insert(name.substr(8, name.find('.', 8) - 7));  // "network.PART."
        else
          EXPECT_TRUE(name.starts_with("discriminator.")) << name;
    }
    const auto& expected = trained[stage - 1];
    EXPECT_EQ(parts, std::set<std::string>(expected.begin(), expected.end())) << stage;
    EXPECT_EQ(recipe->updates().size(), stage == 1 ? 2u : 3u);
  }
}

TEST_F(GrainTest, NamesTheWeightsThatAreMissing) {
  const auto error = [&](int stage, std::vector<std::string> assignments) {
    assignments.emplace_back("pretrained=files");
    assignments.push_back(concat_text("model.stage=", stage));
    return test::error_of([&] { Trainer(config(1, "missing", 1, assignments), {}); });
  };
  EXPECT_EQ(error(1, {}),
            "grain: stage 1 needs AlexNet's weights for LPIPS; name the file (--set "
            "weights.alexnet=FILE), or start from random weights (--set pretrained=random)");
  EXPECT_TRUE(error(1, {"loss.lambda_perceptual=0", "loss.lambda_identity=1"})
                  .starts_with("grain: stage 1 needs IR-SE50's weights"));
  EXPECT_TRUE(
      error(2, {"loss.lambda_perceptual=0"}).starts_with("grain: stage 2 needs a StyleGAN2"));
  // A run of stage 1 has no Fea2Code for stage 3.
  ASSERT_EQ(train(config(1, "stage2", 1)), Outcome::finished);
  EXPECT_TRUE(
      test::error_of([&] { Trainer(config(3, "stage3", 1), {}); })
          .ends_with("has no fea2code, which stage 3 needs; train the stage before it first, "
                     "or name its file, too (weights.previous)"));
}

TEST_F(GrainTest, TakesAPriorOfOnesOwn) {
  ASSERT_EQ(train(config(1, "stage1", 1)), Outcome::finished);
  const std::vector<std::string> assignments{"model.network=stylegan2", "model.scale=64",
                                             "model.style=32", "out=" + out("prior")};
  const TrainConfig prior = parse_config(R"({
      "model": {"max_channels": 16}, "data": {"train": "photos", "patch": 64, "batch": 1},
      "train": {"steps": 1, "ema": 0.5}, "validation": {"folders": []}})",
                                         "prior.json", folder_.path(), assignments);
  ASSERT_EQ(train(prior), Outcome::finished);

  const TrainConfig c =
      config(2, "stage2", 1,
             {"pretrained=files", "loss.lambda_perceptual=0", "weights.stylegan2=" + out("prior")});
  Generator generator{1};
  const auto recipe = c.recipe.make(c.model.make(generator), generator);
  const nn::StateDict state = recipe->modules().state_dict();
  const auto file = io::read_safetensors(checkpoint_path(prior.out, 1)).tensors;
  for (const auto& [theirs, ours] :
       {std::pair{"average.g_ema.input.input", "network.stylegan2.input.input"},
        std::pair{"average.latent_avg", "network.latent_avg"},
        std::pair{"model.d.final_linear.1.weight", "discriminator.final_linear.1.weight"}})
    EXPECT_TRUE(test::equal_bits(file.at(theirs), state.at(ours))) << ours;
}

TEST_F(GrainTest, IdentityReachesTheImage) {
  Generator generator{1};
  const TrainConfig c = config(1, "unused", 1, {"loss.lambda_identity=1"});
  const auto recipe = c.recipe.make(c.model.make(generator), generator);
  const Losses losses = recipe->losses(0, BatchMaker(c.data, 7).make(0), 0, generator, {});
  std::vector<std::string> names;
  for (const LossTerm& term : losses.terms) names.push_back(term.name);
  EXPECT_EQ(names, (std::vector<std::string>{"mse", "lr", "lpips", "identity", "adversarial"}));
}

TEST(GrainConfigurations, AreThePapersStages) {
  for (std::int64_t stage = 1; stage <= 4; ++stage) {
    const TrainConfig c = load_config(fs::path(MINI_SOURCE_DIR) / "configs" /
                                      concat_text("grain_stage", stage, ".json"));
    EXPECT_EQ(c.recipe.name(), GrainRecipe::recipe);
    EXPECT_TRUE(c.unused.empty());
    const auto& options = c.model.options<models::GrainOptions>();
    EXPECT_EQ(options.stage, stage);
    EXPECT_EQ(options.size, 1024);
    EXPECT_EQ(c.lr, stage == 4 ? 5e-5 : 1e-4);
    EXPECT_EQ(c.recipe.options<GrainRecipe::Options>().pretrained, GrainRecipe::Pretrained::files);
  }
}

}  // namespace
}  // namespace mini::train
