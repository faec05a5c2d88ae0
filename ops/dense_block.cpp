#include "ops/dense_block.h"

#include "ops/kernels.h"
#include "tensor/view.h"

namespace mini::ops {
namespace {

// Checks the shapes of all weights, for an input with this many channels.
void check_weights(std::int64_t channels, std::span<const Tensor> weights, const Tensor& like) {
  check(!weights.empty(), "dense_block: needs at least one convolution");
  for (std::size_t k = 0; k < weights.size(); ++k) {
    const Tensor& w = weights[k];
    check(w.dtype() == DType::float32 && w.device() == like.device(), "dense_block: weight ", k + 1,
          " is ", w.dtype(), " on ", w.device(), "; it must be float32 on ", like.device());
    check(w.rank() == 4 && w.size(1) == channels && w.size(2) == 3 && w.size(3) == 3,
          "dense_block: weight ", k + 1, " has shape ", w.shape(), ", expected [O,", channels,
          ",3,3]: every convolution sees the input and all earlier features");
    channels += w.size(0);
  }
}

Tensors all_contiguous(std::span<const Tensor> tensors) {
  Tensors result;
  for (const Tensor& tensor : tensors) result.push_back(contiguous(tensor));
  return result;
}

// The kernels take the sign of a feature for that of the value before the activation.
void check_slope(double slope) {
  check(slope >= 0, "dense_block: slope ", slope, " is negative; use 0 or more");
}

}  // namespace

Tensor dense_block(const Tensor& x, std::span<const Tensor> weights, std::span<const Tensor> biases,
                   double slope, Tensor* features) {
  check(x.rank() == 4, "dense_block: x must be [N,C,H,W], got ", x.shape());
  check(x.dtype() == DType::float32, "dense_block: computes in float32, got ", x.dtype(),
        "; cast first");
  check_weights(x.size(1), weights, x);
  check_slope(slope);
  check(biases.size() == weights.size(), "dense_block: ", weights.size(), " weights but ",
        biases.size(), " biases");
  for (std::size_t k = 0; k < biases.size(); ++k)
    check(biases[k].shape() == Shape{weights[k].size(0)} && biases[k].dtype() == DType::float32 &&
              biases[k].device() == x.device(),
          "dense_block: bias ", k + 1, " is ", biases[k].shape(), " of ", biases[k].dtype(), " on ",
          biases[k].device(), ", expected [", weights[k].size(0), "] of float32 on ", x.device());
  const Tensors w = all_contiguous(weights), b = all_contiguous(biases);
  Tensor y = Tensor::empty({x.size(0), w.back().size(0), x.size(2), x.size(3)}, DType::float32,
                           x.device());
  if (features != nullptr)
    *features = Tensor::empty(MINI_DISPATCH(x.device(), dense_block_features, x.shape(), w),
                              DType::float32, x.device());
  MINI_DISPATCH(x.device(), dense_block, x, w, b, slope, y, features ? *features : Tensor());
  return y;
}

std::size_t dense_block_workspace(const Shape& x, std::span<const Tensor> weights) {
  check(!weights.empty() && x.rank() == 4, "dense_block_workspace: needs weights and an [N,C,H,W]");
  return MINI_DISPATCH(weights[0].device(), dense_block_workspace, x, weights);
}

DenseBlockGradient dense_block_gradient(const Tensor& features, std::span<const Tensor> weights,
                                        const Tensor& dy, double slope, DenseBlockWanted wanted) {
  check(
      !weights.empty() && weights[0].rank() == 4 && dy.rank() == 4 && dy.dtype() == DType::float32,
      "dense_block_gradient: needs weights [O,C,3,3] and a float32 dy [N,O,H,W]");
  const std::int64_t channels = weights[0].size(1);
  check_weights(channels, weights, dy);
  check_slope(slope);
  check(dy.size(1) == weights.back().size(0), "dense_block_gradient: dy has shape ", dy.shape(),
        ", the last convolution makes ", weights.back().size(0), " channels");
  const Shape x_shape{dy.size(0), channels, dy.size(2), dy.size(3)};
  const Shape expected = MINI_DISPATCH(dy.device(), dense_block_features, x_shape, weights);
  check(features.shape() == expected && features.dtype() == DType::float32,
        "dense_block_gradient: features have shape ", features.shape(), ", expected ", expected,
        "; pass what dense_block returned for the same weights");

  DenseBlockGradient result;
  if (wanted.dx) result.dx = Tensor::empty(x_shape, DType::float32, dy.device());
  if (wanted.parameters)
    for (const Tensor& w : weights) {
      result.dw.push_back(Tensor::empty(w.shape(), DType::float32, dy.device()));
      result.db.push_back(Tensor::empty({w.size(0)}, DType::float32, dy.device()));
    }
  MINI_DISPATCH(dy.device(), dense_block_gradient, features, all_contiguous(weights), dy, slope,
                result.dx, result.dw, result.db);
  return result;
}

}  // namespace mini::ops
