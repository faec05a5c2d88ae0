// Weights from any file, for a model to load.
#pragma once

#include <filesystem>

#include "infer/checkpoints.h"

#include "nn/module.h"

namespace mini::infer {

// The weights in any file that mini reads (io/tensor_file.h); of a checkpoint, those of its network.
nn::StateDict read_weights(const std::filesystem::path& path, Weights weights = Weights::averaged);
// Strictly into `module`. NaN and infinity, which would only make black images, are errors too.
// Errors name the file, `path`.
void load_weights(nn::Module& module, const nn::StateDict& weights,
                  const std::filesystem::path& path);
void load_weights(nn::Module& module, const std::filesystem::path& path);

}  // namespace mini::infer
