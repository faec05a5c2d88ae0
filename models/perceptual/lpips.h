// LPIPS, version 0.1 (R. Zhang et al., "The unreasonable effectiveness of deep features as a
// perceptual metric", CVPR 2018): how different two pictures look, by what AlexNet (A. Krizhevsky,
// "One weird trick for parallelizing convolutional neural networks", 2014) sees in them.
//
//   d(x, y) = Σ over 5 layers of the mean over pixels of w·(a - b)²,   a = f(x)/|f(x)| per pixel
//
// Features come after each ReLU; their lengths are over channels. Names are torchvision's for
// AlexNet, and the official ones for the learned weights w.
#pragma once

#include <array>

#include "nn/layers.h"
#include "nn/sequential.h"
#include "tensor/random.h"

namespace mini::models {

class Lpips : public nn::Module {
 public:
  explicit Lpips(Generator& generator);
  // x and y [N,3,H,W] in [-1,1], at least 31 pixels a side -> the mean over the batch.
  Tensor operator()(const Tensor& x, const Tensor& y) const;

 private:
  static constexpr std::size_t layers = 5;
  // Normalised features after each ReLU.
  std::array<Tensor, layers> features(const Tensor& x) const;

  nn::Sequential features_;
  std::array<nn::Sequential, layers> heads_;
};

}  // namespace mini::models
