// Any file of weights that mini reads, told apart by its content.
#pragma once

#include <filesystem>

#include "io/safetensors.h"

namespace mini::io {

// safetensors, or PyTorch's zip or legacy format; anything else is an Error that lists these.
TensorFile read_tensor_file(const std::filesystem::path& path);

}  // namespace mini::io
