// RRDB, the residual in residual dense block (X. Wang et al., "ESRGAN: Enhanced super-resolution
// generative adversarial networks", ECCV workshops 2018, figure 4): three dense blocks, each added
// to its input, and the whole again.
//
//   y = x + 0.2·d3(d2(d1(x))),   d_k(u) = u + 0.2·dense_k(u)
#pragma once

#include <string>

#include "models/invertible/dense_block.h"
#include "tensor/random.h"

namespace mini::models {

class Rrdb : public nn::Layer {
 public:
  // The dense blocks are named `name` 1 to 3: "rdb" in BasicSR's files, "RDB" in others. Weights
  // are Kaiming-normal × 0.1, biases zero.
  Rrdb(std::int64_t features, std::int64_t growth, Generator& generator,
       const std::string& name = "rdb");
  Tensor operator()(const Tensor& x) const override;
  std::unique_ptr<nn::RowLayer> rows(const Shape& input, DType dtype) const override;

 private:
  DenseBlock dense1_, dense2_, dense3_;
};

}  // namespace mini::models
