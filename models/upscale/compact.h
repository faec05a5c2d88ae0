// SRVGGNetCompact (X. Wang et al., Real-ESRGAN's small networks): convolutions with PReLU at the
// size of the input, then one step to the size of the result, to which they are a correction.
//
//   y = PixelShuffle(conv(… PReLU(conv(x)) …)) + nearest ×scale of x
#pragma once

#include "nn/sequential.h"
#include "tensor/random.h"

namespace mini::models {

struct CompactOptions {
  std::int64_t scale = 4;
  std::int64_t layers = 16, features = 64;  // the layers between the first and the last convolution
};

class CompactNet : public nn::Module {
 public:
  CompactNet(const CompactOptions& options, Generator& generator);
  // x [N,3,H,W] in [0,1] -> [N,3,scale·H,scale·W]
  Tensor operator()(const Tensor& x) const;

 private:
  std::int64_t scale_;
  nn::Sequential body_;
};

}  // namespace mini::models
