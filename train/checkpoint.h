// The state of a training run between two steps, as one safetensors file:
//   model.NAME       parameters and buffers, PyTorch's names
//   average.NAME     the average of the network's weights, if one is kept
//   optimizer.NAME   the optimiser's moments and counts; of several: optimizer.OPTIMISER.NAME
//   metadata         step, seed and offset of the noise, best score, version, configuration, the
//                    fingerprint of the training images; also how many updates of the next step are
//                    done, unless none, the log's line in progress, if there is one, and the network's
//                    prefix in the model, unless it is the whole model
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
#include "train/position.h"

namespace mini::train {

using infer::checkpoint_path;
using infer::find_checkpoint;
using infer::list_checkpoints;

struct Checkpoint {
  Position position;           // steps done, and updates of the next
  std::int64_t validated = 0;  // the last of these steps that was followed by a validation
  Generator noise;             // in the state from which the next step draws
  double best_score = -std::numeric_limits<double>::infinity();  // of the validations so far
  std::string config;                                            // config_text
  std::string network_prefix{};  // of the network's names in the model
  std::string images{};          // the fingerprint of the training images; empty: unknown
  std::string window{};          // the values of the log's line that is not complete yet (Means)
  nn::StateDict model;
  nn::StateDict average{};
  std::map<std::string, Tensor> optimizer;
};

void save_checkpoint(const std::filesystem::path& path, const Checkpoint& checkpoint);
// Throws when the file is damaged or no checkpoint of mini_train; the Error names the one before it.
Checkpoint load_checkpoint(const std::filesystem::path& path);

// Called when the checkpoint of `step` is saved: removes all but it and the `keep` - 1 before it. Later
// ones, which a run left behind when it was resumed at an earlier step, are removed as well.
void remove_old_checkpoints(const std::filesystem::path& folder, std::int64_t step,
                            std::int64_t keep);

}  // namespace mini::train
