// What reading weights from a training run needs to know of its checkpoints: how the files are named,
// and which part of one is the model. train/checkpoint.h describes the whole file.
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
// The step in the name of a checkpoint; none for other files.
std::optional<std::int64_t> step_in_name(const std::filesystem::path& path);
// The checkpoints in the folder, ordered by step, without best.safetensors.
std::vector<std::filesystem::path> list_checkpoints(const std::filesystem::path& folder);
// The path itself where it is a file; of a folder the latest checkpoint. Throws where there is none.
std::filesystem::path find_checkpoint(const std::filesystem::path& file_or_folder);

// "; the checkpoint before it is PATH", to end an Error about a broken checkpoint; empty where there is
// no earlier one.
std::string earlier_checkpoint(const std::filesystem::path& path);

// The metadata by which a checkpoint is recognised, and the prefixes of its parts.
struct CheckpointMark {
  static constexpr const char *key = "format",
                              *value = "mini_train checkpoint 1";  // in the metadata
  static constexpr const char* network = "network";  // the same: the prefix of the network's names
  static constexpr const char *model = "model.", *average = "average.";  // of tensors
};
bool is_checkpoint(const io::TensorFile& file);

// Which weights to take. Where a run keeps an average of the weights over its steps, inference is better
// with that.
enum class Weights { averaged, raw };
// The network's parameters and buffers in a checkpoint: the averaged ones where there are any, unless
// raw ones are asked for.
nn::StateDict network_of(const io::TensorFile& file, Weights weights = Weights::averaged);
// The entries whose names begin with `prefix`, without it.
nn::StateDict below(const nn::StateDict& tensors, const std::string& prefix);

}  // namespace mini::infer
