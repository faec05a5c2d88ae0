// The training loop:
//
//   batch k -> a step of the recipe's updates -> report; validate and save when due
//
// All that a step depends on is its number, the weights, the optimisers' state and the position of
// the noise. These are what a checkpoint holds; a run resumed from one goes on bit for bit as if it
// had never stopped. Of several processes that train together rank 0 alone reads and writes the files
// of the run. Read next: train/step.h, train/checkpoint.h, train/dataset.h, train/recipe.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <iosfwd>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "train/average.h"
#include "train/checkpoint.h"
#include "train/collective.h"
#include "train/config.h"
#include "train/dataset.h"
#include "train/recipe.h"
#include "train/reporter.h"
#include "train/run_folder.h"
#include "train/step.h"
#include "train/validation.h"

namespace mini::train {

struct TrainerOptions {
  std::filesystem::path resume{};  // a checkpoint or a folder with some; empty: a new run
  Device device{};                 // where to compute
  std::filesystem::path init{};    // weights, or such a folder, to start a new run from
  std::string init_key{};          // below which they stand in the file; empty: found
  // Makes what is trained, initialised from the generator; null: what the configuration says.
  std::function<std::unique_ptr<Recipe>(const TrainConfig&, Generator&)> recipe = nullptr;
  std::ostream* out = nullptr;           // where progress is shown; null: nowhere
  Screen screen{};                       // what `out` is
  std::function<bool()> stop = nullptr;  // asked between steps; true: save and end
  bool replay = true;                    // on a GPU: passes are captured and replayed
  bool write = true;                     // false: only for measure_step(), so any folder will do
  Collective* collective = nullptr;      // the processes that train together; null: this one alone
};

// Bytes of memory blocks around one step.
struct StepMemory {
  std::size_t before = 0;      // alive when the step began
  std::size_t parameters = 0;  // part of that
  std::size_t optimizer = 0;   // part of that: its state
  std::size_t peak = 0;        // alive at most during the step
};

enum class Outcome { finished, stopped };

class Trainer {
 public:
  // Reads and checks everything, changes no file. All processes of the collective make theirs at the
  // same time, run it and take each step together; an Error that only some of them meet leaves the
  // others waiting, so whoever catches it must end them.
  Trainer(TrainConfig config, TrainerOptions options);
  ~Trainer();

  // Trains to the last step or until one of the processes is told to stop; either way the last state
  // is saved. When a loss or a gradient is not finite, the state before that update is saved and an
  // Error names the step and the term.
  Outcome run();

  // Takes one step to warm up and measures the next, so that the allocator's peak belongs to that step
  // alone. Changes no file. First stops the loader and frees its images, since memory of other threads
  // would be counted as well. A trainer cannot train after that.
  StepMemory measure_step();

  std::int64_t step() const { return position_.step; }  // steps done
  const models::Rescaler& network() const { return recipe_->network(); }

 private:
  // What a checkpoint has reached: the position, and the step of the last validation.
  using Reached = std::pair<Position, std::int64_t>;

  bool is_first() const { return collective_.rank() == 0; }
  void init(const std::filesystem::path& path);
  void resume(const std::filesystem::path& path);
  void share_state();
  void check_folder() const;
  void open_outputs();
  void train_step();
  [[noreturn]] void stop_not_finite(const Named& term);
  bool due(std::int64_t every) const;
  bool validation_due() const;
  bool validate();  // false: stopped on the way
  bool run_validation();
  Checkpoint state() const;
  void save();
  bool told_to_stop() const { return options_.stop && options_.stop(); }

  TrainConfig config_;
  TrainerOptions options_;
  Collective& collective_;
  std::vector<std::string> notes_;  // to be shown at the start

  // The state of the run.
  Position position_;
  std::int64_t validated_ = 0;
  Generator noise_;
  double best_score_;
  std::unique_ptr<Recipe> recipe_;
  std::unique_ptr<StepTaker> steps_;
  std::optional<WeightAverage> average_;

  Reached saved_;                         // in the last checkpoint
  std::string images_before_;             // their fingerprint in the checkpoint resumed from
  Means window_;                          // at the start, of the log
  std::optional<RunFolder> folder_;       // of rank 0, while it runs
  std::unique_ptr<Validator> validator_;  // of rank 0
  std::unique_ptr<BatchLoader> loader_;
  std::unique_ptr<Reporter> reporter_;
};

}  // namespace mini::train
