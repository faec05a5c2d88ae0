// The state of a training run between two steps, as one safetensors file:
//   model.NAME       parameters and buffers, PyTorch's names
//   optimizer.NAME   the optimiser's moments and counts
//   metadata         step, seed and offset of the noise, best score, version, configuration
// Batches and the learning rate are functions of the step and need no state. Files are replaced
// atomically (io/file.h), so whatever happens while one is written, the one before stays loadable.
#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <map>
#include <string>

#include "infer/checkpoints.h"

#include "nn/module.h"
#include "tensor/random.h"

namespace mini::train {

using infer::checkpoint_path;
using infer::find_checkpoint;
using infer::list_checkpoints;

struct Checkpoint {
  std::int64_t step = 0;       // steps done
  std::int64_t validated = 0;  // of these, the last after which there was a validation
  Generator noise;             // as the next step will draw from it
  double best_score = -std::numeric_limits<double>::infinity();  // of the validations so far
  std::string config;                                            // config_text
  nn::StateDict model;
  std::map<std::string, Tensor> optimizer;
};

void save_checkpoint(const std::filesystem::path& path, const Checkpoint& checkpoint);
// Throws when the file is damaged or no checkpoint of mini_train.
Checkpoint load_checkpoint(const std::filesystem::path& path);

// Once that of `step` is saved: keeps it and the `keep` - 1 before it. Later ones, which a run left
// behind when it was resumed at an earlier step, go too.
void remove_old_checkpoints(const std::filesystem::path& folder, std::int64_t step,
                            std::int64_t keep);

}  // namespace mini::train
