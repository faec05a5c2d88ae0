// BatchNorm (S. Ioffe, C. Szegedy, "Batch normalization", ICML 2015): PyTorch's BatchNorm1d for
// x [N,C] and BatchNorm2d for x [N,C,H,W]. For each channel
//
//   y = weight·(x - mean)/sqrt(var + eps) + bias
//
// While training, mean and var are the batch's (var divided by their number), and the running ones
// become (1 - momentum)·running + momentum·batch (var divided by their number less one). Otherwise
// mean and var are the running ones. A checkpointed part of a network (autograd/checkpoint.h) is
// evaluated twice and so moves them twice, as in PyTorch.
#pragma once

#include "nn/module.h"

namespace mini::nn {

class BatchNorm : public Layer {
 public:
  explicit BatchNorm(std::int64_t channels, double eps = 1e-5, double momentum = 0.1);
  Tensor operator()(const Tensor& x) const override;

  Tensor weight, bias;               // [channels]
  Tensor running_mean, running_var;  // buffers

 private:
  double eps_, momentum_;
  // A place in the state dict only: PyTorch counts batches here, but with a fixed momentum nothing
  // depends on it. The value is kept as it was loaded.
  Tensor num_batches_tracked_;
};

}  // namespace mini::nn
