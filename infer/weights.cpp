#include "infer/weights.h"

#include <algorithm>
#include <cmath>

#include "infer/checkpoints.h"

#include "io/tensor_file.h"
#include "tensor/view.h"

namespace mini::infer {
namespace {

bool is_finite(const Tensor& tensor) {
  const Tensor values = ops::cast(ops::contiguous(tensor), DType::float64);
  const auto* first = values.data<double>();
  return std::all_of(first, first + values.numel(), [](double x) { return std::isfinite(x); });
}

}  // namespace

nn::StateDict read_weights(const std::filesystem::path& path, Weights weights) {
  io::TensorFile file = io::read_tensor_file(path);
  return is_checkpoint(file) ? network_of(file, weights) : std::move(file.tensors);
}

void load_weights(nn::Module& module, const nn::StateDict& weights,
                  const std::filesystem::path& path) {
  try {
    module.load_state_dict(weights);
    // As loaded: a finite float64 may be too large for float32.
    for (const auto& [name, tensor] : module.state_dict())
      check(is_finite(tensor), name,
            " holds NaN or infinity; training that diverged leaves such "
            "weights, take those of an earlier checkpoint");
  } catch (const Error& error) {
    fail(path.string(), ": ", error.what());
  }
}

void load_weights(nn::Module& module, const std::filesystem::path& path) {
  load_weights(module, read_weights(path), path);
}

}  // namespace mini::infer
