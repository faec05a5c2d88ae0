// DenseBlock: the subnet of every invertible block (E, F, G, H in the figures of SAIN and IRN).
//
//   f_k = leaky_relu(conv_k(cat(x, f_1 .. f_(k-1))), 0.2)   k = 1..4, `growth` channels each
//   y   = conv_5(cat(x, f_1 .. f_4))                         linear
//
// All convolutions are 3×3 with padding 1 and bias. A block with a condition reads one channel more, in
// front of x: a number for each image, the same in all its pixels. Read next:
// models/invertible/vanilla_block.h.
#pragma once

#include "models/invertible/chain.h"
#include "nn/layers.h"
#include "nn/rows.h"

namespace mini::models {

enum class Condition { none, quality };

class DenseBlock : public nn::Module {
 public:
  // conv1..conv4: Xavier-normal × 0.1; conv5: zero, so that every block starts as the identity (or
  // a fixed linear map) and training is stable at any depth. Biases zero.
  DenseBlock(std::int64_t in, std::int64_t out, std::int64_t growth, Generator& generator,
             Condition condition = Condition::none);

  // [N,in,H,W] -> [N,out,H,W]. `condition`: [N,1,1,1] or [1,1,1,1]; a block that has none ignores it.
  Tensor operator()(const Tensor& x, const Tensor& condition = {}) const;

  // Row by row, of an image of the shape `input`.
  nn::RowLayers rows(const Shape& input, DType dtype) const;
  // As a part of a coupling layer. Refers to the block, which must outlive it.
  Subnet subnet(const Tensor& condition = {}) const;

 private:
  Tensors weights() const;
  Tensor joined(const Tensor& x, const Tensor& condition) const;
  // Bytes that a call takes besides its result while nothing is recorded.
  std::size_t workspace(Shape x, DType dtype) const;

  Condition condition_;
  std::int64_t in_;  // channels that the convolutions read, with the condition
  nn::Conv2d conv1_, conv2_, conv3_, conv4_, conv5_;
};

}  // namespace mini::models
