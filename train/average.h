// The exponential moving average of a network's weights over the steps, which often serves better than
// the weights of the last step:  average = decay·average + (1 - decay)·weights.
#pragma once

#include "nn/module.h"

namespace mini::train {

class WeightAverage {
 public:
  // Begins as a copy of the weights. The module must outlive it. decay in (0, 1).
  WeightAverage(const nn::Module& module, double decay);

  // After a step. Buffers are taken as they are.
  void update();

  // The names of the module's state_dict, sharing the values.
  const nn::StateDict& state() const { return average_; }
  // Copies the values in. Nothing changes unless everything fits.
  void load_state(const nn::StateDict& state);

  // While it lives, the module has the average as its weights.
  class InUse {
   public:
    explicit InUse(WeightAverage& average);
    ~InUse();
    InUse(const InUse&) = delete;
    InUse& operator=(const InUse&) = delete;

   private:
    WeightAverage& average_;
    nn::StateDict own_;  // the module's
  };

 private:
  const nn::Module& module_;
  double decay_;
  nn::StateDict average_;
};

}  // namespace mini::train
