// Adam and AdamW, and clipping of the gradient's norm: what torch.optim and
// torch.nn.utils.clip_grad_norm_ compute. The arithmetic is in ops/optimizer.h.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "nn/module.h"
#include "tensor/tensor.h"

namespace mini::train {

struct AdamOptions {
  double beta1 = 0.9, beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0;
  // false: L2, weight_decay·w joins the gradient (Adam). true: w shrinks by lr·weight_decay beside
  // the step (AdamW; Loshchilov & Hutter, ICLR 2019).
  bool decoupled = false;
};

class Adam {
 public:
  // The parameters' values are updated in place; the handles are kept.
  Adam(const std::vector<nn::NamedTensor>& parameters, AdamOptions options);

  // Uses each parameter's grad(), times gradient_scale (see clip_factor); a parameter without one is
  // left as it is.
  void step(double lr, double gradient_scale = 1);

  // NAME.mean, NAME.square and NAME.step (int64, [1]) of each parameter, sharing the values: save
  // them, or clone them, before the next step.
  std::map<std::string, Tensor> state() const;
  // Copies the values in. Nothing changes unless every name, shape and dtype fits.
  void load_state(const std::map<std::string, Tensor>& state);

 private:
  struct Slot {
    std::string name;
    Tensor parameter, mean, square;
    Tensor steps;  // int64, [1]: how often this parameter was updated
  };
  std::vector<Slot> slots_;
  AdamOptions options_;
};

// The norm of all gradients together: not finite when a gradient is not. Waits for them.
double gradient_norm(const Tensors& parameters);
// What gradients of this norm are to be multiplied by: max_norm/(norm + 1e-6) where that is below 1.
double clip_factor(double norm, double max_norm);

}  // namespace mini::train
