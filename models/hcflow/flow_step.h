// FlowStep: a step of HCFlow's main chain. ActNorm, then one part of the channels, the first three
// (x1) or the rest (x2), is changed by a dense block of the other.
//
//   even steps:  x2 ← (x2 + shift(x1))·exp(g(x1))      odd steps:  x1 ← x1 + f(x2)
//
// (shift, scale) are the even and odd channels of what the dense block gives, and g =
// 0.318·atan(2·scale) lies between -1/2 and 1/2.
#pragma once

#include <utility>

#include "models/hcflow/act_norm.h"
#include "models/invertible/dense_block.h"

namespace mini::models {

// The even and the odd channels of x.
std::pair<Tensor, Tensor> interleaved(const Tensor& x);
// g of a scale.
Tensor gentle_log_scale(const Tensor& scale);
// Adds log_det, of one element, or one for each sample of a batch, to *total if there is one.
void add_log_det(const Tensor& log_det, Tensor* total);

class FlowStep : public nn::Module {
 public:
  // `even` says which part changes.
  FlowStep(std::int64_t channels, bool even, std::int64_t growth, Generator& generator);

  // Adds its log|det| for each sample to *log_det [N], unless that is null.
  Tensor forward(const Tensor& x, Tensor* log_det) const;
  Tensor inverse(const Tensor& y) const;

 private:
  bool even_;
  ActNorm actnorm_;
  DenseBlock dense_;
};

}  // namespace mini::models
