// What a run tells of itself: the log, TensorBoard, the line on the screen, pictures. It looks on and
// changes nothing of the training; only rank 0's reporter writes files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <iosfwd>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "train/log.h"
#include "train/means.h"
#include "train/progress.h"
#include "train/tensorboard.h"
#include "train/validation.h"

namespace mini::train {

struct LogOptions {
  std::int64_t every = 100;  // steps
  bool tensorboard = true;
};

struct ReporterOptions {
  std::filesystem::path folder{};  // of the run, which exists; empty: nothing is written
  LogOptions log{};
  std::int64_t first_step = 0;  // done before this run began
  std::int64_t steps = 0;       // to be done in all
  bool resumed = false;         // the log goes on; otherwise it begins anew
  std::int64_t validated = 0;   // the last validation before
  Means window{};               // of the steps since the last line of the log
  int processes = 1;            // that train together
  std::ostream* out = nullptr;  // where progress is shown; null: nowhere
  Screen screen{};              // what `out` is
};

class Reporter {
 public:
  explicit Reporter(ReporterOptions options);
  ~Reporter();

  // A line on the screen that stays.
  void message(const std::string& text);
  // A line of the log; it also tells the processor time of this process so far, that of all its threads.
  void event(const std::string& name, std::int64_t step, const LogRecord& record = {});
  // Of every step. At every so-manieth, the means since the last time go to the log.
  void step(std::int64_t step, const Means::Values& values, double lr);
  void validation(std::int64_t step, const Validation& result);
  // The log as yet has no line, so the run begins in it.
  bool log_is_empty() const { return log_ && log_->empty(); }
  const Means& window() const { return means_; }

  // Time spent on something else than steps does not count for their speed.
  class Pause {
   public:
    explicit Pause(Reporter& reporter) : progress_(*reporter.progress_) { progress_.pause(); }
    ~Pause() { progress_.resume(); }
    Pause(const Pause&) = delete;
    Pause& operator=(const Pause&) = delete;

   private:
    Progress& progress_;
  };

 private:
  ReporterOptions options_;
  Means means_;
  std::unique_ptr<std::ostream> nowhere_;
  std::unique_ptr<Progress> progress_;
  std::unique_ptr<JsonLog> log_;
  std::unique_ptr<TensorBoard> board_;
};

}  // namespace mini::train
