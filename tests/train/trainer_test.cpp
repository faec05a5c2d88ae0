// The training loop on a tiny network: resuming bit for bit, stopping, losses that are not finite,
// invalid input.
#include "train/trainer.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <sstream>

#include "autograd/functions.h"
#include "infer/picture.h"
#include "infer/weights.h"
#include "io/file.h"
#include "io/image.h"
#include "io/safetensors.h"
#include "tensor/parallel.h"
#include "tests/support/support.h"
#include "tests/train/altered_recipe.h"
#include "tests/train/train_until.h"

namespace mini::train {
namespace {
namespace fs = std::filesystem;

// Three small images, a temporary folder, and a network of two blocks.
class TrainerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    set_threads(1);  // the network is too small for several threads
    Generator generator{1, 0};
    for (const int i : {0, 1, 2}) {
      const Tensor noise = ops::uniform(generator, {1, 3, 8, 10});
      io::write_image(photos() / ("photo" + std::to_string(i) + ".png"),
                      infer::enlarge(io::to_image(noise), 4));
    }
  }

  fs::path photos() const {
    fs::create_directories(folder_.path() / "photos");
    return folder_.path() / "photos";
  }
  fs::path out(const std::string& name) const { return folder_.path() / name; }

  // Batches of two from three images, so that most steps are inside an epoch.
  TrainConfig config(const std::string& name, std::vector<std::string> assignments = {}) const {
    const std::string text = R"({
      "model": {"enhanced_blocks": 1, "vanilla_blocks": 1, "growth": 4},
      "data": {"train": "photos", "patch": 16, "batch": 2},
      "train": {"steps": 7, "lr": 1e-3, "schedule": {"milestones": [4]}},
      "codec": {"quality": "50..90"},
      "validation": {"folders": "photos", "every": 3, "images": 1, "pictures": 1},
      "checkpoint": {"every": 3, "keep_last": 2}, "log": {"every": 2}})";
    assignments.push_back("out=" + out(name).string());
    return parse_config(text, "test.json", folder_.path(), assignments);
  }

  static io::TensorFile file_at(const fs::path& run, std::int64_t step) {
    return io::read_safetensors(checkpoint_path(run, step));
  }

  test::TemporaryFolder folder_;
};

void expect_same_state(const io::TensorFile& a, const io::TensorFile& b) {
  ASSERT_EQ(a.tensors.size(), b.tensors.size());
  for (const auto& [name, tensor] : a.tensors)
    EXPECT_TRUE(test::equal_bits(tensor, b.tensors.at(name))) << name;
  for (const auto& [name, text] : a.metadata)
    if (name != "config") {
      EXPECT_EQ(text, b.metadata.at(name)) << name;
    }
}

std::string content(const fs::path& path) {
  const io::Bytes bytes = io::read_file(path);
  return std::string(io::as_text(bytes));
}

TEST_F(TrainerTest, ResumedRunsEqualTheOneNeverStopped) {
  EXPECT_EQ(train(config("whole")), Outcome::finished);
  const io::TensorFile end = file_at(out("whole"), 7);
  EXPECT_FALSE(test::equal_bits(
      end.tensors.at("model.down_operations.0.F.conv1.weight"),
      file_at(out("whole"), 6).tensors.at("model.down_operations.0.F.conv1.weight")));

  // Stopped three times: inside the first epoch, at a validation, and after the milestone.
  EXPECT_EQ(train(config("parts"), {}, 1), Outcome::stopped);
  EXPECT_EQ(train(config("parts"), {.resume = out("parts")}, 3), Outcome::stopped);
  EXPECT_EQ(train(config("parts"), {.resume = out("parts")}, 5), Outcome::stopped);
  EXPECT_EQ(train(config("parts"), {.resume = out("parts")}), Outcome::finished);
  expect_same_state(file_at(out("parts"), 7), end);
  EXPECT_EQ(content(out("parts") / "best.safetensors").size(),
            content(out("whole") / "best.safetensors").size());

  // With another number of threads, from a checkpoint in the other run's folder.
  EXPECT_EQ(
      train(config("other", {"data.workers=3"}), {.resume = checkpoint_path(out("whole"), 6)}),
      Outcome::finished);
  expect_same_state(file_at(out("other"), 7), end);
}

TEST_F(TrainerTest, ResumedAveragesEqualTheOneNeverStopped) {
  const std::vector<std::string> averaged{"train.ema=0.9"};
  train(config("whole", averaged));
  train(config("parts", averaged), {}, 1);
  train(config("parts", averaged), {.resume = out("parts")}, 5);
  train(config("parts", averaged), {.resume = out("parts")});
  const io::TensorFile end = file_at(out("whole"), 7);
  expect_same_state(file_at(out("parts"), 7), end);
  expect_same_state(io::read_safetensors(out("parts") / "best.safetensors"),
                    io::read_safetensors(out("whole") / "best.safetensors"));

  // The weights themselves are those of a run without an average, and what is validated is not.
  train(config("plain"));
  const io::TensorFile plain = file_at(out("plain"), 7);
  for (const auto& [name, tensor] : plain.tensors)
    EXPECT_TRUE(test::equal_bits(tensor, end.tensors.at(name))) << name;
  EXPECT_NE(plain.metadata.at("best_score"), end.metadata.at("best_score"));

  // A run that had none begins one.
  std::ostringstream text;
  train(config("plain", {"train.ema=0.9", "train.steps=8"}),
        {.resume = out("plain"), .out = &text});
  EXPECT_NE(text.str().find("the average of the weights begins here"), std::string::npos);
}

TEST_F(TrainerTest, MemoryModesTrainTheSameWeights) {
  const std::vector<std::string> longer{"train.steps=100", "validation.every=100",
                                        "checkpoint.every=100"};
  for (const std::string mode : {"exact", "stored", "checkpoint"}) {
    auto assignments = longer;
    assignments.push_back("memory=" + mode);
    EXPECT_EQ(train(config(mode, assignments)), Outcome::finished);
  }
  const io::TensorFile stored = file_at(out("stored"), 100);
  expect_same_state(file_at(out("exact"), 100), stored);
  expect_same_state(file_at(out("checkpoint"), 100), stored);
}

TEST_F(TrainerTest, ResumingEarlierTakesTheLogBack) {
  train(config("run", {"checkpoint.keep_last=9"}));
  const std::string whole = content(out("run") / "log.jsonl");
  EXPECT_NE(whole.find("\"event\":\"validation\",\"step\":6"), std::string::npos);
  EXPECT_EQ(train(config("run"), {.resume = checkpoint_path(out("run"), 3)}, 4), Outcome::stopped);
  const std::string log = content(out("run") / "log.jsonl");
  EXPECT_NE(log.find("\"event\":\"train\",\"step\":2"), std::string::npos) << log;
  EXPECT_EQ(log.find("\"step\":6"), std::string::npos) << log;
  EXPECT_EQ(find_checkpoint(out("run")), checkpoint_path(out("run"), 4));
}

TEST_F(TrainerTest, TheLogOfAResumedRunIsThatOfOneNeverStopped) {
  train(config("whole"));
  for (const std::int64_t stop : {1, 3, 5, -1})
    train(config("parts"), {.resume = stop == 1 ? fs::path() : out("parts")}, stop);
  EXPECT_EQ(test::without_times(content(out("parts") / "log.jsonl")),
            test::without_times(content(out("whole") / "log.jsonl")));
}

TEST_F(TrainerTest, ARemovedFolderIsAnError) {
  std::int64_t asked = 0;
  Trainer trainer(config("run"), {.stop = [&] {
                    if (++asked == 6) fs::remove_all(out("run"));
                    return false;
                  }});
  EXPECT_NE(test::error_of([&] { trainer.run(); }).find("was removed or renamed"),
            std::string::npos);
  EXPECT_FALSE(fs::exists(out("run")));
}

TEST_F(TrainerTest, AChangedImageIsToldOnResume) {
  train(config("run"), {}, 1);
  const auto notes = [&] {
    std::ostringstream text;
    train(config("run"), {.resume = out("run"), .out = &text}, 1);
    return text.str();
  };
  const std::string told = "the training images are not those of before";
  EXPECT_EQ(notes().find(told), std::string::npos);
  Tensor image = io::read_image(photos() / "photo1.png");
  image.data<std::uint8_t>()[0] ^= 1;
  io::write_image(photos() / "photo1.png", image);
  EXPECT_NE(notes().find(told), std::string::npos) << notes();
}

TEST_F(TrainerTest, ARunDoesNotTrainOnItsOwnPictures) {
  const auto inside = [&] { return config("photos/run"); };
  train(inside(), {}, 4);
  ASSERT_TRUE(fs::exists(out("photos/run") / "pictures"));
  std::ostringstream text;
  train(inside(), {.resume = out("photos/run"), .out = &text}, 5);
  EXPECT_NE(text.str().find("3 images to train on"), std::string::npos) << text.str();
  fs::remove_all(out("photos/run"));
}

TEST_F(TrainerTest, LeavesWhatItPromises) {
  const fs::path stale = out("run") / "step_000000003.safetensors.tmp.999999999.0";
  fs::create_directories(out("run"));
  io::write_file_atomically(stale, "of a process killed");
  train(config("run"));
  EXPECT_FALSE(fs::exists(stale));
  EXPECT_EQ(list_checkpoints(out("run")), (std::vector<fs::path>{checkpoint_path(out("run"), 6),
                                                                 checkpoint_path(out("run"), 7)}));
  EXPECT_NO_THROW(load_checkpoint(out("run") / "best.safetensors"));
  EXPECT_EQ(config_text(load_config(out("run") / "config.json")), config_text(config("run")));
  for (const char* step : {"step_000000003", "step_000000006", "step_000000007"}) {
    const Tensor picture = io::read_image(out("run") / "pictures" / step / "photo0.png");
    EXPECT_EQ(picture.shape(), Shape({32, 4 * 40 + 3 * 4, 3}));
  }
  EXPECT_FALSE(fs::is_empty(out("run") / "tensorboard"));
  // The means over two steps, and the learning rate of the last step.
  std::istringstream log(content(out("run") / "log.jsonl"));
  std::vector<std::string> lines;
  for (std::string line; std::getline(log, line);) lines.push_back(line);
  ASSERT_EQ(lines.size(),
            1u + 4 + 3 + 1);  // start, train at 2 4 6 7, validation at 3 6 7, finished
  EXPECT_TRUE(lines[1].starts_with("{\"event\":\"train\",\"step\":2,\"loss\":")) << lines[1];
  EXPECT_NE(lines[1].find("\"lr\":0.001,\"cpu_seconds\":"), std::string::npos) << lines[1];
  EXPECT_NE(lines[6].find("\"lr\":0.0005,"), std::string::npos) << lines[6];
}

TEST_F(TrainerTest, LossFallsOnOnePicture) {
  const TrainConfig longer =
      config("run", {"train.steps=60", "codec.quality=90", "log.every=20",
                     "train.schedule.milestones=[]", "train.lr=2e-3", "validation.folders=[]"});
  train(longer);
  std::istringstream log(content(out("run") / "log.jsonl"));
  std::vector<double> losses;
  for (std::string line; std::getline(log, line);)
    if (const std::size_t at = line.find("\"loss\":"); at != std::string::npos)
      losses.push_back(std::stod(line.substr(at + 7)));
  ASSERT_EQ(losses.size(), 3u);
  EXPECT_LT(losses[2], 0.9 * losses[0]);
}

// The configured losses, but for one term of one step.
auto spoiled(std::int64_t step, double value) {
  return altered([steps_left = step - 1, value](Recipe&, Losses losses) mutable {
    if (steps_left-- == 0) losses.terms[2].value = Tensor::scalar(value);
    return losses;
  });
}

TEST_F(TrainerTest, LossNotFiniteStopsWithTheLastGoodWeights) {
  const double infinity = std::numeric_limits<double>::infinity();
  const std::string error =
      test::error_of([&] { train(config("bad"), {.recipe = spoiled(5, infinity)}); });
  EXPECT_EQ(error, "step 5: l_reg is inf; the weights after step 4 are kept in " +
                       checkpoint_path(out("bad"), 4).string());
  EXPECT_NE(content(out("bad") / "log.jsonl").find("\"event\":\"not_finite\",\"step\":4"),
            std::string::npos);
  // The state is that of a run told to stop there, and training goes on from it.
  train(config("good"), {.recipe = spoiled(5, infinity)}, 4);
  expect_same_state(file_at(out("bad"), 4), file_at(out("good"), 4));
  EXPECT_EQ(train(config("bad"), {.resume = out("bad"), .recipe = spoiled(0, infinity)}),
            Outcome::finished);
}

// A finite loss whose gradient is not: the root of 0·w.
TEST_F(TrainerTest, GradientNotFiniteStops) {
  const auto cusp = altered([](Recipe& recipe, const Losses&) -> Losses {
    return {mini::sqrt(sum(recipe.modules().parameters().front()) * 0.0), {}};
  });
  const std::string error = test::error_of([&] { train(config("bad"), {.recipe = cusp}); });
  EXPECT_TRUE(error.starts_with("step 1: norm of the gradient is ")) << error;
}

TEST_F(TrainerTest, StartsFromWeights) {
  train(config("first"));
  train(config("second"), {.init = out("first") / "best.safetensors"}, 0);
  const auto best = infer::read_weights(out("first") / "best.safetensors");
  for (const auto& [name, tensor] : load_checkpoint(checkpoint_path(out("second"), 0)).model)
    EXPECT_TRUE(test::equal_bits(tensor, best.at(name))) << name;
  // From a folder, the latest checkpoint.
  train(config("third", {"validation.folders=[]"}), {.init = out("first")}, 0);
  const auto latest = infer::read_weights(checkpoint_path(out("first"), 7));
  for (const auto& [name, tensor] : load_checkpoint(checkpoint_path(out("third"), 0)).model)
    EXPECT_TRUE(test::equal_bits(tensor, latest.at(name))) << name;
}

TEST_F(TrainerTest, PicturesOfOneNameStayApart) {
  for (const char* name : {"a/x.png", "b/x.jpg", "b/x-2.png"}) {
    fs::create_directories(out(name).parent_path());
    io::write_image(out(name), Tensor::full({32, 32, 3}, 90, DType::uint8));
  }
  train(config("run", {concat_text("validation.folders=[\"", out("a").string(), "\", \"",
                                   out("b").string(), "\"]"),
                       "validation.images=0", "validation.pictures=3", "train.steps=1"}));
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(out("run") / "pictures/step_000000001"))
    names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  EXPECT_EQ(names, (std::vector<std::string>{"x-2.png", "x-3.png", "x.png"}));
}

TEST_F(TrainerTest, OneBadImageStopsNoRun) {
  std::ofstream(photos() / "bad.png") << "text";
  fs::create_directories(out("valid"));
  std::ofstream(out("valid") / "a.png") << "text";
  io::write_image(out("valid") / "b.png", Tensor::full({32, 32, 3}, 90, DType::uint8));
  std::ostringstream text;
  train(config("run", {"validation.folders=" + out("valid").string(), "train.steps=1"}),
        {.out = &text});
  for (const char* name : {"bad.png", "a.png"})
    EXPECT_NE(text.str().find(concat_text(name, ": decode: the file is no image")),
              std::string::npos)
        << text.str();
  fs::remove(photos() / "bad.png");
}

TEST_F(TrainerTest, OdditiesOfImagesAreTold) {
  fs::create_directories(out("valid"));
  for (const fs::path& path : {photos() / "odd.png", out("valid") / "odd.png"}) {
    const io::Bytes whole =
        io::encode(Tensor::full({32, 32, 3}, 90, DType::uint8), io::ImageFormat::png, 100);
    io::write_file_atomically(path, std::span(whole).first(whole.size() - 12));
  }
  std::ostringstream text;
  train(config("run", {"validation.folders=" + out("valid").string(), "train.steps=1"}),
        {.out = &text});
  for (const char* folder : {"photos", "valid"})
    EXPECT_NE(text.str().find(concat_text(folder, "/odd.png: the end mark is missing")),
              std::string::npos)
        << text.str();
  fs::remove(photos() / "odd.png");
}

TEST_F(TrainerTest, BadInputChangesNoFile) {
  train(config("run"), {}, 1);
  const auto error = [&](const TrainConfig& config, TrainerOptions options = {}) {
    return test::error_of([&] { Trainer(config, std::move(options)); });
  };
  EXPECT_NE(error(config("run")).find("already holds a run"), std::string::npos);
  EXPECT_NE(error(config("new"), {.resume = out("nothing")}).find("no such file"),
            std::string::npos);
  const std::string other =
      error(config("new", {"model.enhanced_blocks=2"}), {.resume = out("run")});
  EXPECT_NE(other.find("down_operations.1."), std::string::npos) << other;
  EXPECT_NE(error(config("new", {"model.scale=4"}), {.init = checkpoint_path(out("run"), 1)})
                .find("load_state_dict"),
            std::string::npos);
  EXPECT_NE(error(config("new", {"data.train=/nowhere"})).find("/nowhere"), std::string::npos);
  EXPECT_NE(error(config("new", {"validation.folders=/nowhere"})).find("/nowhere"),
            std::string::npos);
  fs::create_directories(out("small"));
  io::write_image(out("small") / "a.png", Tensor::zeros({31, 99, 3}, DType::uint8));
  EXPECT_NE(error(config("new", {"validation.folders=" + out("small").string()}))
                .find("a.png: 99x31 is too small"),
            std::string::npos);
  io::write_file_atomically(out("cut.safetensors"), "short");
  EXPECT_NE(error(config("new"), {.resume = out("cut.safetensors")}).find("cut.safetensors"),
            std::string::npos);
  EXPECT_FALSE(fs::exists(out("new")));
  for (const char* place : {"cut.safetensors", "cut.safetensors/deeper"})
    EXPECT_NE(error(config(place)).find("cut.safetensors is no folder, so no run can be put there"),
              std::string::npos);
}

TEST_F(TrainerTest, TellsWhatChangedOnResume) {
  train(config("run"), {}, 1);
  std::ostringstream text;
  train(config("run", {"train.lr=1e-4", "log.every=1"}), {.resume = out("run"), .out = &text}, 2);
  EXPECT_NE(text.str().find("resuming at step 1"), std::string::npos) << text.str();
  EXPECT_NE(text.str().find("note: train.lr is not what it was"), std::string::npos) << text.str();
  EXPECT_EQ(text.str().find("note: log.every"), std::string::npos) << text.str();
  EXPECT_NE(text.str().find("stopped after step 2"), std::string::npos) << text.str();
}

TEST_F(TrainerTest, ResumesWhenTheOldConfigurationIsOfAnotherVersion) {
  train(config("run"), {}, 1);
  Checkpoint checkpoint = load_checkpoint(checkpoint_path(out("run"), 1));
  checkpoint.config = "{\"gone\": 1}";
  save_checkpoint(checkpoint_path(out("run"), 1), checkpoint);
  std::ostringstream text;
  EXPECT_EQ(train(config("run"), {.resume = out("run"), .out = &text}), Outcome::finished);
  EXPECT_NE(text.str().find("cannot be compared"), std::string::npos) << text.str();
}

}  // namespace
}  // namespace mini::train
