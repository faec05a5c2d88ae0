// ConditionalFlow: turns the detail `a` that a level of HCFlow splits off into noise z, given what
// is left of the image (u), and back.
//
//   feature c = trunk(conv_first(u)) + conv_first(u), the trunk being RRDBs
//   steps:  ActNorm ─ permute (a 1×1 convolution) ─ z2 ← (z2 + shift)·exp(g), (shift, scale) = f(z1, c)
//   end:    z = (a - mean)·exp(-g(scale)), (mean, scale) = f(c)
#pragma once

#include <memory>
#include <vector>

#include "models/hcflow/flow_step.h"
#include "nn/sequential.h"

namespace mini::models {

struct ConditionalFlowOptions {
  std::int64_t steps = 6;
  std::int64_t hidden = 64;                           // channels inside f
  std::int64_t features = 64, growth = 16;            // of the trunk
  std::int64_t trunk_blocks0 = 2, trunk_blocks1 = 1;  // RRDBs
};

// One of the steps.
class ConditionalStep : public nn::Module {
 public:
  ConditionalStep(std::int64_t channels, const ConditionalFlowOptions& options,
                  Generator& generator);
  Tensor forward(const Tensor& x, const Tensor& feature, Tensor* log_det) const;
  Tensor inverse(const Tensor& y, const Tensor& feature) const;

 private:
  // shift and g for z2, from z1.
  std::pair<Tensor, Tensor> coupling(const Tensor& z1, const Tensor& feature) const;
  std::int64_t kept() const { return permutation_.size(0) / 2; }  // channels of z1

  ActNorm actnorm_;
  Tensor permutation_;  // [C,C], orthogonal at first
  NormalisedConv2d conv1_, conv2_;
  ScaledConv2d conv3_;
};

class ConditionalFlow : public nn::Module {
 public:
  // For `channels` of detail and `condition` channels of u.
  ConditionalFlow(std::int64_t channels, std::int64_t condition,
                  const ConditionalFlowOptions& options, Generator& generator);

  Tensor feature(const Tensor& u) const;
  Tensor forward(const Tensor& a, const Tensor& feature, Tensor* log_det) const;
  Tensor inverse(const Tensor& z, const Tensor& feature) const;
  // Keeps for the gradient only what goes into each step and each RRDB.
  void checkpoint_blocks(bool on);

 private:
  bool checkpoints_steps_ = false;
  nn::Conv2d first_;
  nn::Sequential trunk0_, trunk1_;
  nn::Conv2d trunk_end_;
  std::vector<std::unique_ptr<ConditionalStep>> steps_;
  ScaledConv2d prior_;
};

}  // namespace mini::models
