// The dense block of IRN and SAIN as one op: K 3x3 convolutions with padding 1,
//   f_k = leaky_relu(conv_k(cat(x, f_1 .. f_{k-1}))),  k = 1 .. K-1
//   y   = conv_K(cat(x, f_1 .. f_{K-1}))
// It is one op so that all features can share one buffer and nothing is concatenated. It computes
// in float32; for float64, autograd/functions/dense_block.cpp composes it of conv2d, concat and
// leaky_relu.
//
// Shapes: x [N,C,H,W]; weight k [O_k, C + O_1 + .. + O_{k-1}, 3, 3], bias k [O_k]; y [N,O_K,H,W].
#pragma once

#include <span>

#include "tensor/tensor.h"

namespace mini::ops {

// If `features` is not null, it receives the input and all features, in the backend's own layout,
// for dense_block_gradient. Otherwise they are not kept.
Tensor dense_block(const Tensor& x, std::span<const Tensor> weights, std::span<const Tensor> biases,
                   double slope, Tensor* features = nullptr);

// Bytes of workspace that dense_block needs, besides y, for an x of this shape if features are not
// kept.
std::size_t dense_block_workspace(const Shape& x, std::span<const Tensor> weights);

struct DenseBlockGradient {
  Tensor dx;       // [N,C,H,W]
  Tensors dw, db;  // one per weight and bias
};

// Which gradients to compute. The others stay undefined (dx) or empty (dw, db).
struct DenseBlockWanted {
  bool dx = true, parameters = true;
};
DenseBlockGradient dense_block_gradient(const Tensor& features, std::span<const Tensor> weights,
                                        const Tensor& dy, double slope,
                                        DenseBlockWanted wanted = {});

}  // namespace mini::ops
