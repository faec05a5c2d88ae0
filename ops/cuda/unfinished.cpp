// Not written yet.
#include "ops/kernels.h"

namespace mini::cuda {

Shape dense_block_features(const Shape&, std::span<const Tensor>) {
  fail("dense_block_features: not on CUDA yet");
}
std::size_t dense_block_workspace(const Shape&, std::span<const Tensor>) {
  fail("dense_block_workspace: not on CUDA yet");
}
void dense_block(const Tensor&, std::span<const Tensor>, std::span<const Tensor>, double,
                 const Tensor&, const Tensor&) {
  fail("dense_block: not on CUDA yet");
}
void dense_block_gradient(const Tensor&, std::span<const Tensor>, const Tensor&, double,
                          const Tensor&, std::span<const Tensor>, std::span<const Tensor>) {
  fail("dense_block_gradient: not on CUDA yet");
}

}  // namespace mini::cuda
