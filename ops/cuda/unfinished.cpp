// Not written yet.
#include "ops/kernels.h"

namespace mini::cuda {

void reduce(Reduction, const Tensor&, const Tensor&) { fail("reduce: not on CUDA yet"); }
void argmax(const Tensor&, const Tensor&) { fail("argmax: not on CUDA yet"); }
void softmax(const Tensor&, const Tensor&, bool) { fail("softmax: not on CUDA yet"); }
void one_hot(const Tensor&, const Tensor&) { fail("one_hot: not on CUDA yet"); }
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
void max_pool2d(const Tensor&, const Tensor&, const Tensor&, const Pool2dParams&) {
  fail("max_pool2d: not on CUDA yet");
}
void avg_pool2d(const Tensor&, const Tensor&, const Pool2dParams&) {
  fail("avg_pool2d: not on CUDA yet");
}
void avg_pool2d_gradient(const Tensor&, const Tensor&, const Pool2dParams&) {
  fail("avg_pool2d_gradient: not on CUDA yet");
}
void gather_planes(const Tensor&, const Tensor&, const Tensor&) {
  fail("gather_planes: not on CUDA yet");
}
void scatter_planes(const Tensor&, const Tensor&, const Tensor&) {
  fail("scatter_planes: not on CUDA yet");
}
void pad2d(const Tensor&, const Tensor&, PadMode, const Padding2d&) {
  fail("pad2d: not on CUDA yet");
}
void pad2d_gradient(const Tensor&, const Tensor&, PadMode, const Padding2d&) {
  fail("pad2d_gradient: not on CUDA yet");
}
void haar(const Tensor&, const Tensor&) { fail("haar: not on CUDA yet"); }
void haar_inverse(const Tensor&, const Tensor&) { fail("haar_inverse: not on CUDA yet"); }
void linear_map(const Tensor&, const LinearMap&, const Tensor&) {
  fail("linear_map: not on CUDA yet");
}
void adam(const Tensor&, const Tensor&, const Tensor&, const Tensor&, const AdamStep&) {
  fail("adam: not on CUDA yet");
}
double sum_of_squares(const Tensor&) { fail("sum_of_squares: not on CUDA yet"); }
void coupling(const Tensor&, const Tensor&, const Tensor&, const Tensor&) {
  fail("coupling: not on CUDA yet");
}
void coupling_inverse(const Tensor&, const Tensor&, const Tensor&, const Tensor&) {
  fail("coupling_inverse: not on CUDA yet");
}
void coupling_gradient(const Tensor&, const Tensor&, const Tensor&, const Tensor&, const Tensor&) {
  fail("coupling_gradient: not on CUDA yet");
}
void coupling_inverse_gradient(const Tensor&, const Tensor&, const Tensor&, const Tensor&,
                               const Tensor&) {
  fail("coupling_inverse_gradient: not on CUDA yet");
}
void correction_codes(const Tensor&, const Tensor&, const Tensor&, const Tensor&) {
  fail("correction_codes: not on CUDA yet");
}
void correction_aside(const Tensor&, const Tensor&, const Tensor&, const Tensor&) {
  fail("correction_aside: not on CUDA yet");
}
void correct(const Tensor&, const Tensor&, const Tensor&, const Tensor&) {
  fail("correct: not on CUDA yet");
}
void sample_mixture(const Tensor&, const Tensor&, const Tensor&, const Tensor&) {
  fail("sample_mixture: not on CUDA yet");
}
void sample_mixture_gradient(const Tensor&, const Tensor&, const Tensor&, const Tensor&,
                             const Tensor&) {
  fail("sample_mixture_gradient: not on CUDA yet");
}
void diff_jpeg(const Tensor&, std::span<const double>, const Tensor&) {
  fail("diff_jpeg: not on CUDA yet");
}
void diff_jpeg_gradient(const Tensor&, const Tensor&, std::span<const double>, const Tensor&) {
  fail("diff_jpeg_gradient: not on CUDA yet");
}

}  // namespace mini::cuda
