// The training loop:
//
//   batch k -> objective -> backward -> clip -> optimiser with the learning rate of step k
//
// All that a step depends on is its number, the weights, the optimiser's state and the position of
// the noise. These are what a checkpoint holds; a run resumed from one goes on bit for bit as if it
// had never stopped.
//
// Several processes that train together each work on their share of the batch; their gradients are
// added up while backward runs (train/gradient_sync.h), so all take the same step. Rank 0 alone reads
// and writes the files of the run. Read next: train/checkpoint.h, train/dataset.h, train/objective.h.
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

#include "models/rescaler.h"
#include "train/checkpoint.h"
#include "train/collective.h"
#include "train/config.h"
#include "train/dataset.h"
#include "train/gradient_sync.h"
#include "train/log.h"
#include "train/pass.h"
#include "train/progress.h"
#include "train/tensorboard.h"
#include "train/validation.h"

namespace mini::train {

struct TrainerOptions {
  std::filesystem::path resume{};          // a checkpoint or a folder with some; empty: a new run
  Device device{};                         // where to compute
  std::filesystem::path init{};            // weights, or such a folder, to start a new run from
  std::string init_key{};                  // below which they stand in the file; empty: found
  std::unique_ptr<Objective> objective{};  // null: the one of the network's paper
  std::ostream* out = nullptr;             // where progress is shown; null: nowhere
  int columns = 0;                         // of the terminal that `out` is; 0: it is none
  std::function<bool()> stop = nullptr;    // asked between steps; true: save and end
  bool replay = true;                      // on a GPU: passes are captured and replayed
  bool write = true;                       // false: only for measure_step(), so any folder will do
  Collective* collective = nullptr;  // the processes that train together; null: this one alone
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
  // is saved. When a loss or a gradient is not finite, the state before that step is saved and an
  // Error names the step and the term.
  Outcome run();

  // Takes one step to warm up and measures the next; the allocator's peak is then of that one alone.
  // Changes no file. The loader is stopped first, and with it goes its cache of images: what other
  // threads do at the time would be counted, too. So this is the last thing that a trainer does.
  StepMemory measure_step();

  std::int64_t step() const { return step_; }  // steps done
  const models::Rescaler& network() const { return *network_; }

 private:
  struct Step {
    std::vector<Named> values;  // losses and norm of the gradient
    double lr = 0;
    std::optional<Named> not_finite{};  // then the weights are as before
  };
  // Means over the steps since the last line of the log.
  struct Window {
    std::vector<std::pair<std::string, double>> sums;
    double count = 0;
    void add(const std::vector<std::pair<std::string, double>>& values);
    std::vector<std::pair<std::string, double>> means() const;
  };

  bool is_first() const { return collective_.rank() == 0; }
  void init(const std::filesystem::path& path);
  void resume(const std::filesystem::path& path);
  void share_state();
  void check_folder() const;
  void open_outputs();
  std::vector<Named> run_pass(Batch&& taken);
  Step take_step(Batch batch);
  void backward_all(const Tensor& loss);
  void train_step();
  [[noreturn]] void stop_not_finite(const Named& term, const Generator& noise_before);
  void report(double lr);
  bool due(std::int64_t every) const;
  bool validation_due() const;
  bool validate();  // false: stopped on the way
  bool run_validation();
  Checkpoint state() const;
  void save();
  void log(const std::string& event, const LogRecord& record = {});
  bool told_to_stop() const { return options_.stop && options_.stop(); }

  TrainConfig config_;
  TrainerOptions options_;
  Collective& collective_;
  std::vector<std::string> notes_;  // to be shown at the start

  // The state of the run.
  std::int64_t step_ = 0, validated_ = 0;
  Generator noise_;
  double best_score_;
  std::unique_ptr<models::Rescaler> network_;
  std::unique_ptr<Adam> optimizer_;

  std::pair<std::int64_t, std::int64_t> saved_;  // step_ and validated_ in the last checkpoint
  Tensors parameters_;
  std::optional<GradientSync> sync_;  // not of a process alone
  std::unique_ptr<Objective> objective_;
  std::unique_ptr<TrainingPass> pass_;
  std::unique_ptr<Validator> validator_;  // of rank 0, as is what follows but the loader
  std::unique_ptr<BatchLoader> loader_;

  Window window_;
  std::unique_ptr<std::ostream> nowhere_;
  std::unique_ptr<JsonLog> log_;
  std::unique_ptr<TensorBoard> board_;
  std::unique_ptr<Progress> progress_;
};

}  // namespace mini::train
