// Runs a training to its end, or stops it after a number of steps as a signal would.
#pragma once

#include <utility>

#include "train/trainer.h"

namespace mini::train {

inline Outcome train(const TrainConfig& config, TrainerOptions options = {},
                     std::int64_t stop_at = -1) {
  const Trainer* running = nullptr;
  options.stop = [&] { return running->step() == stop_at; };
  Trainer trainer(config, std::move(options));
  running = &trainer;
  return trainer.run();
}

}  // namespace mini::train
