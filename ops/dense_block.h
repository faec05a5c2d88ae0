// The dense block of IRN and SAIN as one op: K 3x3 convolutions with padding 1,
//   f_k = leaky_relu(conv_k(cat(x, f_1 .. f_{k-1}))),  k = 1 .. K-1
//   y   = conv_K(cat(x, f_1 .. f_{K-1}))
// One op because all features share one buffer in which nothing is concatenated. float32; the
// composition of conv2d, concat and leaky_relu (autograd/functions/dense_block.cpp) serves float64.
//
// Shapes: x [N,C,H,W]; weight k [O_k, C + O_1 + .. + O_{k-1}, 3, 3], bias k [O_k]; y [N,O_K,H,W].
#pragma once

#include <span>

#include "tensor/tensor.h"

namespace mini::ops {

// `features`, if not null, receives what dense_block_gradient needs: the input and all features, in
// the backend's own layout. Without it they do not outlive the call.
Tensor dense_block(const Tensor& x, std::span<const Tensor> weights, std::span<const Tensor> biases,
                   double slope, Tensor* features = nullptr);

// Bytes that dense_block takes besides y for such an x when no features are kept.
std::size_t dense_block_workspace(const Shape& x, std::span<const Tensor> weights);

struct DenseBlockGradient {
  Tensor dx;       // [N,C,H,W]
  Tensors dw, db;  // as the weights and biases
};

// Gradients for dy [N,O_K,H,W], those that are wanted; the others stay undefined or empty.
struct DenseBlockWanted {
  bool dx = true, parameters = true;
};
DenseBlockGradient dense_block_gradient(const Tensor& features, std::span<const Tensor> weights,
                                        const Tensor& dy, double slope,
                                        DenseBlockWanted wanted = {});

}  // namespace mini::ops
