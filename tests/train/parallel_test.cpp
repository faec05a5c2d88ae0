// Several trainers, each in a thread of its own, take the steps of one trainer, with the same bits
// in all of them. If one fails, all stop. tests/tools/parallel_test.cpp runs real processes.
#include <algorithm>
#include <cmath>

#include "autograd/functions.h"
#include "infer/picture.h"
#include "io/file.h"
#include "io/image.h"
#include "tests/support/support.h"
#include "tests/train/altered_recipe.h"
#include "tests/train/threads.h"
#include "train/trainer.h"

namespace mini::train {
namespace {
namespace fs = std::filesystem;

class ParallelTest : public ::testing::Test {
 protected:
  void SetUp() override {
    set_threads(1);
    Generator generator{1, 0};
    fs::create_directories(photos());
    for (const int i : {0, 1, 2, 3, 4})
      io::write_image(photos() / ("photo" + std::to_string(i) + ".png"),
                      infer::enlarge(io::to_image(ops::uniform(generator, {1, 3, 8, 10})), 4));
  }

  fs::path photos() const { return folder_.path() / "photos"; }
  fs::path out(const std::string& name) const { return folder_.path() / name; }

  // Batches of six from five images. Where a gradient consists of rounding errors only, Adam's step
  // with the usual eps would, too.
  TrainConfig config(const std::string& name, std::vector<std::string> assignments = {}) const {
    const std::string text = R"({
      "model": {"enhanced_blocks": 1, "vanilla_blocks": 1, "growth": 4},
      "data": {"train": "photos", "patch": 16, "batch": 6},
      "train": {"steps": 5, "lr": 1e-3, "eps": 1e-2, "schedule": {"milestones": [4]}},
      "codec": {"quality": "50..90"}, "precision": "float64",
      "validation": {"folders": "photos", "every": 3, "images": 1, "pictures": 1},
      "checkpoint": {"every": 3, "keep_last": 9}, "log": {"every": 1, "tensorboard": false}})";
    assignments.push_back("out=" + out(name).string());
    return parse_config(text, "test.json", folder_.path(), assignments);
  }

  struct Ending {
    std::vector<std::string> errors;      // by rank
    std::vector<nn::StateDict> networks;  // by rank
  };
  using Adjust = std::function<void(TrainerOptions&, Trainer*&, int)>;

  // Trains with this many ranks. `adjust` may change the options of a rank, and may use its trainer
  // later.
  static Ending train(int ranks, const TrainConfig& config, const Adjust& adjust = {}) {
    Ending ending;
    ending.networks.resize(static_cast<std::size_t>(ranks));
    ending.errors = run_ranks(ranks, [&](ThreadCollective& collective) {
      Trainer* running = nullptr;
      TrainerOptions options;
      if (ranks > 1) options.collective = &collective;
      if (adjust) adjust(options, running, collective.rank());
      Trainer trainer(config, std::move(options));
      running = &trainer;
      trainer.run();
      ending.networks[static_cast<std::size_t>(collective.rank())] = trainer.network().state_dict();
    });
    return ending;
  }
  static Ending train_well(int ranks, const TrainConfig& config, const Adjust& adjust = {}) {
    Ending ending = train(ranks, config, adjust);
    EXPECT_EQ(ending.errors, std::vector<std::string>(static_cast<std::size_t>(ranks)));
    return ending;
  }

  test::TemporaryFolder folder_;
};

void expect_same_bits(const nn::StateDict& a, const nn::StateDict& b) {
  ASSERT_EQ(a.size(), b.size());
  for (const auto& [name, tensor] : a) EXPECT_TRUE(test::equal_bits(tensor, b.at(name))) << name;
}

void expect_near(const nn::StateDict& a, const nn::StateDict& b, double tolerance) {
  ASSERT_EQ(a.size(), b.size());
  ASSERT_FALSE(a.empty());
  for (const auto& [name, tensor] : a)
    EXPECT_LE(test::max_difference(tensor, b.at(name)), tolerance) << name;
}

void expect_same_state(const fs::path& a, const fs::path& b) {
  const Checkpoint first = load_checkpoint(a), second = load_checkpoint(b);
  expect_same_bits(first.model, second.model);
  expect_same_bits(first.optimizer, second.optimizer);
  EXPECT_EQ(first.noise, second.noise);
  EXPECT_EQ(first.best_score, second.best_score);
  EXPECT_EQ(first.validated, second.validated);
}

std::string content(const fs::path& path) {
  const io::Bytes bytes = io::read_file(path);
  return std::string(io::as_text(bytes));
}

// The numbers under a name in a log.
std::vector<double> logged(const fs::path& run, const std::string& name) {
  const std::string log = content(run / "log.jsonl"), key = "\"" + name + "\":";
  std::vector<double> values;
  for (std::size_t at = log.find(key); at != std::string::npos; at = log.find(key, at + 1))
    values.push_back(std::stod(log.substr(at + key.size())));
  return values;
}

TEST_F(ParallelTest, StepsAreThoseOfOneProcess) {
  for (const std::string network : {"sain", "irn"}) {
    const std::vector<std::string> choice{"model.network=" + network};
    const Ending one = train_well(1, config(network + "1", choice));
    for (const int ranks : {2, 3}) {
      const std::string name = network + std::to_string(ranks);
      const Ending several = train_well(ranks, config(name, choice));
      expect_near(several.networks[0], one.networks[0], 1e-14);
      for (const nn::StateDict& network_of_rank : several.networks)
        expect_same_bits(network_of_rank, several.networks[0]);
      // Clipping hides the size of a gradient, but the log has it.
      for (const std::string value : {"gradient_norm", "loss", "l_back_rec"}) {
        const std::vector<double> ours = logged(out(name), value),
                                  theirs = logged(out(network + "1"), value);
        ASSERT_EQ(ours.size(), 5u);
        for (std::size_t i = 0; i < 5; ++i) EXPECT_NEAR(ours[i] / theirs[i], 1, 1e-11) << value;
      }
      EXPECT_EQ(logged(out(name), "processes"), std::vector<double>{static_cast<double>(ranks)});
      EXPECT_EQ(logged(out(name), "step").size(), logged(out(network + "1"), "step").size());
    }
  }
}

TEST_F(ParallelTest, EveryRunGivesTheSameBits) {
  train_well(3, config("first", {"precision=float32"}));
  train_well(3, config("second", {"precision=float32", "data.workers=2"}));
  expect_same_state(checkpoint_path(out("first"), 5), checkpoint_path(out("second"), 5));
}

// Stops after some step, whichever rank receives the signal.
TEST_F(ParallelTest, AllStopTogetherAndGoOnBitForBit) {
  train_well(2, config("whole"));
  const auto stop_in = [](int which, std::int64_t step, const fs::path& resume) {
    return [=](TrainerOptions& options, Trainer*& running, int rank) {
      if (rank == 0) options.resume = resume;  // rank 1 needs no file
      if (rank == which) options.stop = [&running, step] { return running->step() == step; };
    };
  };
  train_well(2, config("parts"), stop_in(1, 2, {}));
  EXPECT_EQ(find_checkpoint(out("parts")), checkpoint_path(out("parts"), 2));
  train_well(2, config("parts"), stop_in(0, 4, out("parts")));
  EXPECT_EQ(find_checkpoint(out("parts")), checkpoint_path(out("parts"), 4));
  const Ending end = train_well(2, config("parts"), stop_in(0, -1, out("parts")));
  expect_same_state(checkpoint_path(out("parts"), 5), checkpoint_path(out("whole"), 5));
  expect_same_bits(end.networks[1], end.networks[0]);

  // A run of one process continues as two.
  train_well(1, config("alone"), stop_in(0, 2, {}));
  train_well(2, config("alone"), stop_in(0, -1, out("alone")));
  expect_near(load_checkpoint(checkpoint_path(out("alone"), 5)).model,
              load_checkpoint(checkpoint_path(out("whole"), 5)).model, 1e-14);
}

TEST_F(ParallelTest, AllStartFromTheWeightsOfRankZero) {
  train_well(1, config("first"));
  const auto init = [&](TrainerOptions& options, Trainer*& running, int rank) {
    if (rank == 0) options.init = out("first");
    options.stop = [&running] { return running->step() == 0; };
  };
  const Ending end = train_well(2, config("second"), init);
  for (const nn::StateDict& network : end.networks)
    expect_same_bits(network, load_checkpoint(checkpoint_path(out("first"), 5)).model);
}

TEST_F(ParallelTest, ALossThatIsNotFiniteInOneStopsAll) {
  const auto spoil_rank_1 = [](TrainerOptions& options, Trainer*&, int rank) {
    options.recipe = altered([steps_left = rank == 1 ? 2 : -1](Recipe&, Losses losses) mutable {
      if (steps_left-- == 0) losses.terms[1].value = Tensor::scalar(std::nan(""));
      return losses;
    });
  };
  const Ending end = train(2, config("bad"), spoil_rank_1);
  for (const std::string& error : end.errors)
    EXPECT_TRUE(error.starts_with("step 3: l_forw_fit2 is ")) << error;
  EXPECT_EQ(load_checkpoint(find_checkpoint(out("bad"))).position.step, 2);
  EXPECT_NE(content(out("bad") / "log.jsonl").find("\"event\":\"not_finite\",\"step\":2"),
            std::string::npos);
}

// One rank changes a weight behind the others' backs.
TEST_F(ParallelTest, WeightsThatDifferAreFoundOut) {
  const auto cheat = [](TrainerOptions& options, Trainer*&, int rank) {
    options.recipe = altered([rank](Recipe& recipe, Losses losses) {
      double& weight = *recipe.modules().parameters().front().data<double>();
      if (rank == 1) weight = std::nextafter(weight, 1);
      return losses;
    });
  };
  const Ending end = train(2, config("bad"), cheat);
  for (const std::string& error : end.errors)
    EXPECT_TRUE(error.starts_with("train: after step 3 the weights of rank 1 are not those"))
        << error;
  EXPECT_TRUE(list_checkpoints(out("bad")).empty());
}

TEST_F(ParallelTest, BadInputIsToldByAll) {
  for (const std::string& error : train(4, config("bad")).errors)
    EXPECT_TRUE(error.starts_with("data: batch 6 cannot be divided evenly among 4 processes"))
        << error;

  const TrainConfig first = config("bad"), second = config("bad", {"train.lr=1e-4"});
  const auto errors = run_ranks(2, [&](ThreadCollective& collective) {
    TrainerOptions options;
    options.collective = &collective;
    Trainer(collective.rank() == 0 ? first : second, std::move(options));
  });
  for (const std::string& error : errors)
    EXPECT_TRUE(error.starts_with("train: rank 1 was given another configuration")) << error;
  EXPECT_FALSE(fs::exists(out("bad")));
}

// Changes the third number that the rank sends to the others, as if its folder had one image less.
class Miscounting : public ThreadCollective {
 public:
  using ThreadCollective::ThreadCollective;
  std::vector<double> all_gather(std::span<const double> values) override {
    std::vector<double> own(values.begin(), values.end());
    if (++calls_ == 3 && rank() == 1) own[0] -= 1;
    return ThreadCollective::all_gather(own);
  }

 private:
  int calls_ = 0;
};

TEST_F(ParallelTest, OtherPhotographsAreFoundOut) {
  Meeting meeting(2);
  std::vector<std::string> errors(2);
  {
    std::vector<std::jthread> threads;
    for (int rank = 0; rank < 2; ++rank)
      threads.emplace_back([&, rank] {
        Miscounting collective(meeting, rank, 2);
        TrainerOptions options;
        options.collective = &collective;
        try {
          Trainer(config("bad"), std::move(options));
        } catch (const Error& error) {
          errors[static_cast<std::size_t>(rank)] = error.what();
        }
      });
  }
  for (const std::string& error : errors)
    EXPECT_TRUE(error.starts_with("train: rank 1 has 4 images to train on, rank 0 has 5")) << error;
}

}  // namespace
}  // namespace mini::train
