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
#include <vector>

#include "io/safetensors.h"
#include "nn/module.h"
#include "tensor/random.h"

namespace mini::train {

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
// Throws when the file is damaged or no checkpoint of mini_train; the Error names the one before it.
Checkpoint load_checkpoint(const std::filesystem::path& path);

// FOLDER/step_000012000.safetensors
std::filesystem::path checkpoint_path(const std::filesystem::path& folder, std::int64_t step);
// Those in the folder, by step; best.safetensors is not among them.
std::vector<std::filesystem::path> list_checkpoints(const std::filesystem::path& folder);
// A file stands for itself, a folder for its latest checkpoint; throws where there is none.
std::filesystem::path find_checkpoint(const std::filesystem::path& file_or_folder);
// "; the checkpoint before it is PATH", for an Error about one that a run left; empty where there is
// none.
std::string earlier_checkpoint(const std::filesystem::path& path);
// Once that of `step` is saved: keeps it and the `keep` - 1 before it. Later ones, which a run left
// behind when it was resumed at an earlier step, go too.
void remove_old_checkpoints(const std::filesystem::path& folder, std::int64_t step,
                            std::int64_t keep);

// Whether a file of weights is a checkpoint, and the part of it that is the model.
bool is_checkpoint(const io::TensorFile& file);
nn::StateDict model_of(const io::TensorFile& file);

}  // namespace mini::train
