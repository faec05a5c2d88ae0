#include "train/weights.h"

#include "io/tensor_file.h"
#include "train/checkpoint.h"

namespace mini::train {

nn::StateDict read_weights(const std::filesystem::path& path) {
  io::TensorFile file = io::read_tensor_file(path);
  return is_checkpoint(file) ? model_of(file) : std::move(file.tensors);
}

void load_weights(nn::Module& module, const std::filesystem::path& path) {
  const nn::StateDict weights = read_weights(path);
  try {
    module.load_state_dict(weights);
  } catch (const Error& error) {
    fail(path.string(), ": ", error.what());
  }
}

}  // namespace mini::train
