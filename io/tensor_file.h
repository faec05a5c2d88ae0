// Any file of weights that mini reads, told apart by its content.
#pragma once

#include <filesystem>

#include "io/safetensors.h"

namespace mini::io {

enum class TensorFormat : std::uint8_t { safetensors, torch_zip, torch_legacy, npy, npz };
std::string_view name_of(TensorFormat format);

// Throws for other files; the Error says what the file is, where that is known, and the remedy.
TensorFormat tensor_format(const std::filesystem::path& path);

// A .npy file gives one tensor, called "tensor".
TensorFile read_tensor_file(const std::filesystem::path& path);

}  // namespace mini::io
