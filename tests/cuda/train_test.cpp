// Training runs and inference on a GPU, compared with the CPU and with each other.
#include <gtest/gtest.h>

#include "infer/picture.h"
#include "infer/scaler.h"
#include "io/image.h"
#include "io/safetensors.h"
#include "ops/precision.h"
#include "tensor/parallel.h"
#include "tensor/view.h"
#include "tests/cuda/device.h"
#include "tests/support/networks.h"
#include "tests/support/support.h"
#include "tests/train/adversarial_recipe.h"
#include "train/trainer.h"

namespace mini::train {
namespace {

class CudaTrain : public test::CudaTest {
 protected:
  void SetUp() override {
    test::CudaTest::SetUp();
    if (IsSkipped()) return;
    set_threads(1);  // the network is too small for several threads
    Generator generator{1, 0};
    for (const int i : {0, 1, 2})
      io::write_image(folder_.path() / ("photo" + std::to_string(i) + ".png"),
                      infer::enlarge(io::to_image(ops::uniform(generator, {1, 3, 8, 10})), 4));
  }

  TrainConfig config(std::vector<std::string> assignments) const {
    return parse_config(R"({
      "model": {"enhanced_blocks": 1, "vanilla_blocks": 1, "growth": 4},
      "data": {"train": ".", "patch": 16, "batch": 2, "workers": 0},
      "train": {"steps": 4, "lr": 1e-3, "clip_norm": 5},
      "codec": {"quality": [50, 90]}, "log": {"tensorboard": false},
      "checkpoint": {"every": 100}})",
                        "test.json", folder_.path(), assignments);
  }

  // Returns the state of the network after a run.
  nn::StateDict train(Device where, std::vector<std::string> assignments, bool replay = true) {
    assignments.push_back("out=" + (folder_.path() / std::to_string(++runs_)).string());
    Trainer trainer(config(assignments), {.device = where, .replay = replay});
    EXPECT_EQ(trainer.run(), Outcome::finished);
    nn::StateDict state;
    for (const auto& [name, tensor] : trainer.network().state_dict())
      state[name] = ops::to_device(tensor, {});
    return state;
  }

  static void expect_same_bits(const nn::StateDict& a, const nn::StateDict& b) {
    for (const auto& [name, tensor] : a) EXPECT_TRUE(test::equal_bits(tensor, b.at(name))) << name;
  }

  // The difference of all values together, relative to the largest value.
  static double difference(const nn::StateDict& a, const nn::StateDict& b) {
    double worst = 0, largest = 0;
    for (const auto& [name, tensor] : a) {
      const auto x = tensor.to_vector(), y = b.at(name).to_vector();
      for (std::size_t i = 0; i < x.size(); ++i) {
        worst = std::max(worst, std::abs(x[i] - y[i]));
        largest = std::max(largest, std::abs(x[i]));
      }
    }
    return worst / largest;
  }

  test::TemporaryFolder folder_;
  int runs_ = 0;
};

TEST_F(CudaTrain, LearnsWhatTheCpuLearns) {
  for (const std::string network : {"sain", "irn"}) {
    const std::vector<std::string> assignments{"precision=float64", "model.network=" + network};
    EXPECT_LT(difference(train({}, assignments), train(device, assignments)), 1e-8) << network;
  }
}

TEST_F(CudaTrain, GivesTheSameBitsReplayedOrNotInEveryMemoryMode) {
  for (const std::string precision : {"float32", "float64"}) {
    const std::string of = "precision=" + precision;
    const nn::StateDict reference = train(device, {of, "memory=stored"}, false);
    expect_same_bits(train(device, {of, "memory=exact"}), reference);
    if (precision == "float32") continue;  // the emulated device is slow in the dense block
    expect_same_bits(train(device, {of, "memory=stored"}), reference);
    expect_same_bits(train(device, {of, "memory=checkpoint"}), reference);
    expect_same_bits(train(device, {of, "memory=exact"}, false), reference);
  }
}

// Two networks against each other, with updates in every step, every second and every third.
TEST_F(CudaTrain, ReplaysTheUpdatesOfAdversaries) {
  std::size_t calls = 0;  // of the recipe: a replayed pass needs none
  const auto run = [&](Device where, const std::string& name, bool replay,
                       const std::string& precision, std::int64_t stop_at = -1,
                       bool resume = false) {
    const auto out = folder_.path() / name;
    TrainerOptions options{.device = where, .replay = replay};
    if (resume) options.resume = out;
    const Trainer* running = nullptr;
    options.stop = [&] { return running->step() == stop_at; };
    options.recipe = [&](const TrainConfig&, Generator& generator) {
      return std::make_unique<test::AdversarialRecipe>(
          generator, [&](test::AdversarialRecipe&, std::size_t, Losses&) { ++calls; });
    };
    calls = 0;
    Trainer trainer(config({"train.steps=14", "train.eps=1e-2", "out=" + out.string(),
                            "precision=" + precision}),
                    std::move(options));
    running = &trainer;
    EXPECT_EQ(trainer.run(), stop_at < 0 ? Outcome::finished : Outcome::stopped);
    return stop_at < 0 ? io::read_safetensors(checkpoint_path(out, 14)).tensors : nn::StateDict();
  };
  const nn::StateDict reference = run(device, "eager", false, "float32");
  EXPECT_EQ(calls, 14 + 7 + 4);
  expect_same_bits(run(device, "replayed", true, "float32"), reference);
  EXPECT_EQ(calls, (2 + 2) + (2 + 1) + (2 + 1)) << "warm-up, and a capture for each variant";
  for (const std::int64_t stop : {3, 8, 13})  // in the middle of a cycle of six steps
    run(device, "parts", true, "float32", stop, stop > 3);
  expect_same_bits(run(device, "parts", true, "float32", -1, true), reference);
  const auto weights = [](const nn::StateDict& state) {
    nn::StateDict result;
    for (const auto& [name, tensor] : state)
      if (name.starts_with("model.")) result.emplace(name, tensor);
    return result;
  };
  EXPECT_LT(difference(weights(run({}, "cpu", true, "float64")),
                       weights(run(device, "cuda", true, "float64"))),
            1e-8);
}

TEST_F(CudaTrain, TrainsWithRoundedProducts) {
  const nn::StateDict full = train({}, {});
  for (const std::string precision : {"tf32", "bfloat16"}) {
    const nn::StateDict rounded = train(device, {"precision=" + precision});
    EXPECT_GT(difference(full, rounded), 0) << precision;
    EXPECT_LT(difference(full, rounded), 0.1) << precision;
  }
  ops::set_products(ops::Products::full);
  EXPECT_EQ(test::error_of([&] { Trainer(config({"precision=tf32"}), {.write = false}); }),
            "precision: tf32 and bfloat16 are for a GPU (--device cuda); the cpu computes in "
            "float32 or float64");
}

TEST_F(CudaTrain, ScalesImagesLikeTheCpu) {
  Generator generator{5, 0};
  const auto network = test::make_network("sain", {}, generator);
  network->set_requires_grad(false);
  const Tensor image = io::read_image(folder_.path() / "photo0.png");
  const auto results = [&] {
    const auto scaler = infer::network_scaler(*network, 3);
    const Tensor lr = scaler->downscale(image);
    return std::pair(ops::cast(lr, DType::int64).to_vector(),
                     ops::cast(scaler->upscale(lr), DType::int64).to_vector());
  };
  const auto here = results();
  network->to(device);
  const auto there = results();
  for (std::size_t i = 0; i < here.first.size(); ++i) EXPECT_NEAR(here.first[i], there.first[i], 1);
  for (std::size_t i = 0; i < here.second.size(); ++i)
    EXPECT_NEAR(here.second[i], there.second[i], 2);
}

}  // namespace
}  // namespace mini::train
