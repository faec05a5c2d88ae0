// RRDB2: what stands for an RRDB (models/upscale/rrdb.h) at GRAIN's two highest resolutions, where
// one would cost too much: one dense block of four convolutions.
//
//   y = x + 0.2·d(x),   d(x) = x + 0.2·dense(x)
#pragma once

#include "autograd/functions.h"
#include "nn/layers.h"
#include "nn/sequential.h"
#include "tensor/random.h"

namespace mini::models {

class Rrdb2 : public nn::Layer {
 public:
  Rrdb2(std::int64_t features, std::int64_t growth, Generator& generator);
  Tensor operator()(const Tensor& x) const override;

 private:
  nn::Conv2d conv1_, conv2_, conv3_, conv4_;
};

}  // namespace mini::models
