// mini_train --profile-memory: what fills the memory in a training step.
#pragma once

#include "train/trainer.h"

namespace mini {

// Takes one step to warm up and one that is watched, then prints how much memory that needed and
// the largest tensors alive at its peak: their shapes and the functions that made them.
void print_memory_profile(const train::TrainConfig& config, train::TrainerOptions options);

}  // namespace mini
