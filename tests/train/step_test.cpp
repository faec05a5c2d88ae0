// Steps of several updates, with a recipe that trains two networks against each other: what is frozen,
// what is due, what is saved in the middle of a step, and the same bits after resuming.
#include "train/step.h"

#include <limits>
#include <set>

#include "autograd/node.h"
#include "infer/picture.h"
#include "infer/weights.h"
#include "io/file.h"
#include "io/image.h"
#include "io/safetensors.h"
#include "tensor/parallel.h"
#include "tests/support/support.h"
#include "tests/train/adversarial_recipe.h"
#include "tests/train/threads.h"
#include "tests/train/train_until.h"
#include "train/trainer.h"

namespace mini::train {
namespace {
namespace fs = std::filesystem;
using test::AdversarialRecipe;

class Adversaries : public testing::Test {
 protected:
  void SetUp() override {
    set_threads(1);
    Generator generator{1, 0};
    fs::create_directories(folder_.path() / "photos");
    for (const int i : {0, 1, 2})
      io::write_image(folder_.path() / "photos" / (std::to_string(i) + ".png"),
                      infer::enlarge(io::to_image(ops::uniform(generator, {1, 3, 8, 10})), 4));
  }

  fs::path out(const std::string& name) const { return folder_.path() / name; }
  TrainConfig config(const std::string& name, std::vector<std::string> assignments = {}) const {
    assignments.push_back("out=" + out(name).string());
    return parse_config(R"({
      "data": {"train": "photos", "patch": 16, "batch": 2, "workers": 0}, "precision": "float64",
      "train": {"steps": 8, "lr": 1e-2, "eps": 1e-2, "ema": 0.5},
      "validation": {"folders": "photos", "every": 4, "images": 1, "pictures": 0},
      "checkpoint": {"every": 100, "keep_last": 9}, "log": {"every": 4, "tensorboard": false}})",
                        "test.json", folder_.path(), assignments);
  }

  static TrainerOptions with(AdversarialRecipe::Look look, const fs::path& resume = {}) {
    TrainerOptions options{.resume = resume};
    options.recipe = [look = std::move(look)](const TrainConfig&, Generator& generator) {
      return std::make_unique<AdversarialRecipe>(generator, look);
    };
    return options;
  }
  test::TemporaryFolder folder_;
};

void expect_same_state(const fs::path& a, const fs::path& b) {
  const io::TensorFile x = io::read_safetensors(a), y = io::read_safetensors(b);
  ASSERT_EQ(x.tensors.size(), y.tensors.size());
  for (const auto& [name, tensor] : x.tensors)
    EXPECT_TRUE(test::equal_bits(tensor, y.tensors.at(name))) << name;
  for (const auto& [name, text] : x.metadata)
    if (name != "config") {
      EXPECT_EQ(text, y.metadata.at(name)) << name;
    }
}

std::string content(const fs::path& path) {
  const io::Bytes bytes = io::read_file(path);
  return std::string(io::as_text(bytes));
}

Batch some_batch() {
  Generator generator{4};
  const Tensor hr = ops::uniform(generator, {2, 3, 16, 16});
  return {hr, resize_bicubic(hr, 0.5)};
}

TEST(StepTaker, TrainsWhatAnUpdateNamesAndFreezesTheRest) {
  std::vector<std::size_t> updates;
  const auto look = [&](AdversarialRecipe& recipe, std::size_t update, Losses&) {
    updates.push_back(update);
    for (const Tensor& parameter : recipe.network().parameters())
      EXPECT_EQ(parameter.requires_grad(), update == 0);
    for (const Tensor& parameter : recipe.critic().parameters())
      EXPECT_EQ(parameter.requires_grad(), update > 0);
  };
  Generator generator{1}, noise{2};
  AdversarialRecipe recipe(generator, look);
  StepTaker steps(recipe, {.learning_rate = [](std::int64_t) { return 0.1; }});
  Position position;
  const Tensor critic = recipe.critic().parameters().front();
  const std::vector<double> before = critic.to_vector();
  const StepResult first = steps.take(some_batch(), position, noise);
  EXPECT_EQ(position, (Position{1, 0}));
  EXPECT_EQ(critic.to_vector(), before);  // not due
  std::vector<std::string> names;
  for (const Named& value : first.values) names.push_back(value.first);
  EXPECT_EQ(names, (std::vector<std::string>{"generator.loss", "generator.pixels",
                                             "generator.adversary", "generator.gradient_norm"}));
  for (int i = 0; i < 5; ++i) steps.take(some_batch(), position, noise);
  EXPECT_NE(critic.to_vector(), before);
  EXPECT_EQ(updates, (std::vector<std::size_t>{0, 0, 1, 0, 2, 0, 1, 0, 0, 1, 2}));
  for (const Tensor& parameter : recipe.modules().parameters()) {
    EXPECT_TRUE(parameter.requires_grad());
    EXPECT_FALSE(parameter.grad().defined());
  }
}

// An optimiser each, shared by the updates that name it.
TEST(StepTaker, NamesItsOptimisers) {
  Generator generator{1}, noise{2};
  AdversarialRecipe recipe(generator);
  StepTaker steps(recipe, {.learning_rate = [](std::int64_t) { return 0.1; }});
  Position position;
  for (int i = 0; i < 6; ++i) steps.take(some_batch(), position, noise);
  const std::map<std::string, Tensor> state = steps.optimizer_state();
  EXPECT_EQ(state.at("generator.conv.weight.step").item(), 6);
  EXPECT_EQ(state.at("critic.first.weight.step").item(), 3 + 2);
  EXPECT_NO_THROW(steps.load_optimizer_state(state));
  auto other = state;
  other["stranger.conv.weight.step"] = Tensor::zeros({1}, DType::int64);
  EXPECT_NE(test::error_of([&] { steps.load_optimizer_state(other); }).find("other optimisers"),
            std::string::npos);
}

TEST(StepTaker, APartOfTheModelHasOneOptimiser) {
  class Torn : public AdversarialRecipe {
   public:
    using AdversarialRecipe::AdversarialRecipe;
    std::vector<Update> updates() const override {
      return {{"one", critic().named_parameters(), "one"},
              {"two", critic().named_parameters(), "two"}};
    }
  };
  Generator generator{1};
  Torn recipe(generator);
  EXPECT_EQ(test::error_of([&] { StepTaker(recipe, {}); }),
            "train: first.weight is trained by two optimisers, 'one' and 'two'");
}

TEST_F(Adversaries, ResumeInTheMiddleOfACycle) {
  train(config("whole"), with(nullptr));
  for (const std::int64_t stop : {1, 3, 4, 7})
    train(config("parts"), with(nullptr, stop == 1 ? fs::path() : out("parts")), stop);
  EXPECT_EQ(train(config("parts"), with(nullptr, out("parts"))), Outcome::finished);
  expect_same_state(checkpoint_path(out("parts"), 8), checkpoint_path(out("whole"), 8));
}

TEST_F(Adversaries, WhatIsNotFiniteInALaterUpdateLeavesAnExactState) {
  train(config("whole"), with(nullptr));
  const auto spoil = [seen = 0](AdversarialRecipe&, std::size_t update, Losses& losses) mutable {
    if (update == 1 && ++seen == 2)  // in step 4
      losses.total = losses.total * std::numeric_limits<double>::infinity();
  };
  const std::string error = test::error_of([&] { train(config("bad"), with(spoil)); });
  EXPECT_TRUE(
      error.starts_with("step 4: critic.loss is inf; the weights after step 3 are kept in "))
      << error;
  const Checkpoint kept = load_checkpoint(checkpoint_path(out("bad"), 3));
  EXPECT_EQ(kept.position, (Position{3, 1}));
  EXPECT_EQ(kept.optimizer.at("generator.conv.weight.step").item(), 4);
  EXPECT_EQ(train(config("bad"), with(nullptr, out("bad"))), Outcome::finished);
  expect_same_state(checkpoint_path(out("bad"), 8), checkpoint_path(out("whole"), 8));
}

TEST_F(Adversaries, LogMeansOfTheStepsThatHadThem) {
  train(config("run", {"validation.folders=[]"}),
        with([](AdversarialRecipe&, std::size_t update, Losses& losses) {
          if (update > 0) losses.terms.push_back({"one", Tensor::scalar(1)});
        }));
  const std::string log = content(out("run") / "log.jsonl");
  EXPECT_NE(log.find("\"critic.one\":1.0"), std::string::npos) << log;
  EXPECT_NE(log.find("\"penalty.one\":1.0"), std::string::npos) << log;
}

TEST_F(Adversaries, CheckpointsHoldTheNetworkForInference) {
  train(config("run", {"train.ema=0"}), with(nullptr));
  const auto weights = infer::read_weights(checkpoint_path(out("run"), 8));
  Generator generator{1};
  test::ToyUpscaler upscaler(generator);
  EXPECT_NO_THROW(upscaler.load_state_dict(weights));
  EXPECT_NO_THROW(train(
      config("second"),
      [&] {
        TrainerOptions options = with(nullptr);
        options.init = out("run");
        return options;
      }(),
      0));
}

// Two processes take the steps of one.
TEST_F(Adversaries, DivideTheBatch) {
  train(config("one"), with(nullptr));
  const auto errors = run_ranks(2, [&](ThreadCollective& collective) {
    TrainerOptions options = with(nullptr);
    options.collective = &collective;
    Trainer(config("two"), std::move(options)).run();
  });
  EXPECT_EQ(errors, std::vector<std::string>(2));
  const Checkpoint one = load_checkpoint(checkpoint_path(out("one"), 8)),
                   two = load_checkpoint(checkpoint_path(out("two"), 8));
  for (const auto& [name, tensor] : one.model)
    EXPECT_LT(test::max_difference(tensor, two.model.at(name)), 1e-13) << name;
  for (const auto& [name, tensor] : one.average)
    EXPECT_LT(test::max_difference(tensor, two.average.at(name)), 1e-13) << name;
}

TEST_F(Adversaries, RefuseProcessesWhereTheLossesAreNoMeans) {
  class Relativistic : public AdversarialRecipe {
   public:
    using AdversarialRecipe::AdversarialRecipe;
    bool divisible() const override { return false; }
  };
  const auto errors = run_ranks(2, [&](ThreadCollective& collective) {
    TrainerOptions options;
    options.collective = &collective;
    options.recipe = [](const TrainConfig&, Generator& generator) {
      return std::make_unique<Relativistic>(generator);
    };
    Trainer(config("bad"), std::move(options));
  });
  for (const std::string& error : errors)
    EXPECT_TRUE(error.starts_with("train: the losses of this recipe compare the samples")) << error;
}

}  // namespace
}  // namespace mini::train
