// What whoever takes weights out of a training run must know of its checkpoints: how they are named, and
// which part of one is the model. All of it: train/checkpoint.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "io/tensor_file.h"
#include "nn/module.h"

namespace mini::infer {

// FOLDER/step_000012000.safetensors
std::filesystem::path checkpoint_path(const std::filesystem::path& folder, std::int64_t step);
// The step in such a name; none for other files.
std::optional<std::int64_t> step_in_name(const std::filesystem::path& path);
// Those in the folder, by step; best.safetensors is not among them.
std::vector<std::filesystem::path> list_checkpoints(const std::filesystem::path& folder);
// A file stands for itself, a folder for its latest checkpoint; throws where there is none.
std::filesystem::path find_checkpoint(const std::filesystem::path& file_or_folder);

// "; the checkpoint before it is PATH", for an Error about one that a run left; empty where there is
// none.
std::string earlier_checkpoint(const std::filesystem::path& path);

// What a checkpoint is known by, and how its parts are named.
struct CheckpointMark {
  static constexpr const char *key = "format",
                              *value = "mini_train checkpoint 1";  // in the metadata
  static constexpr const char* network = "network";  // the same: the prefix of the network's names
  static constexpr const char *model = "model.", *average = "average.";  // of tensors
};
bool is_checkpoint(const io::TensorFile& file);

// Where a run keeps an average of the weights over its steps, that is the better choice to infer with.
enum class Weights { averaged, raw };
// The network's parameters and buffers in a checkpoint: of the average where there is one, unless the
// raw ones are asked for.
nn::StateDict network_of(const io::TensorFile& file, Weights weights = Weights::averaged);
// The entries whose names begin with `prefix`, without it.
nn::StateDict below(const nn::StateDict& tensors, const std::string& prefix);

}  // namespace mini::infer
