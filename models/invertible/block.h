// What an invertible block is: a few coupling layers on the two halves of its channels, of which x1
// holds the image-like three and x2 the rest. The layers say how to run it, how to invert it, how to
// go backward (models/invertible/chain.h) and how to stream rows through it (models/invertible/strips.h).
#pragma once

#include "models/invertible/chain.h"
#include "nn/module.h"

namespace mini::models {

class InvertibleBlock : public nn::Module {
 public:
  // In forward order. They refer to the block, which must outlive them. `condition`: see
  // models/invertible/dense_block.h; undefined where none of its subnets has one.
  virtual std::vector<Coupling> couplings(const Tensor& condition) const = 0;
};

}  // namespace mini::models
