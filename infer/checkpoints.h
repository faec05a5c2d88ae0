// What whoever takes weights out of a training run must know of its checkpoints: how they are named, and
// which part of one is the model. All of it: train/checkpoint.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
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

// What marks a file as a checkpoint: this entry of its metadata.
struct CheckpointMark {
  static constexpr const char *key = "format", *value = "mini_train checkpoint 1";
};
bool is_checkpoint(const io::TensorFile& file);
// The parameters and buffers in a checkpoint.
nn::StateDict model_of(const io::TensorFile& file);
// The entries whose names begin with `prefix`, without it.
nn::StateDict below(const nn::StateDict& tensors, const std::string& prefix);

}  // namespace mini::infer
