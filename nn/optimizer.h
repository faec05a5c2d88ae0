// Optimisers, and clipping of the gradient's norm: what torch.optim and
// torch.nn.utils.clip_grad_norm_ compute.
//
//   Adam, AdamW  ops/optimizer.h has the formula
//   SGD          g = scale·g + weight_decay·w      b = momentum·b + g (b = g at first)      w -= lr·b
//   Ranger       RAdam (L. Liu et al., ICLR 2020) on centralised gradients (H. Yong et al., ECCV 2020:
//                less their mean over all but the first dimension), and Lookahead (M. Zhang et al.,
//                NeurIPS 2019): every k steps slow += α·(w - slow), w = slow
// RAdam's factor of the step, with ρ∞ = 2/(1-β2) - 1 and ρ = ρ∞ - 2t·β2ᵗ/(1-β2ᵗ):
//   ρ > 5:  sqrt((1-β2ᵗ)·(ρ-4)/(ρ∞-4)·(ρ-2)/ρ·ρ∞/(ρ∞-2))/(1-β1ᵗ) · m/(sqrt(v) + eps)
//   else:   1/(1-β1ᵗ) · m
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "nn/module.h"
#include "tensor/tensor.h"

namespace mini::nn {

enum class OptimizerType { adam, adamw, sgd, ranger };

struct OptimizerOptions {
  OptimizerType type = OptimizerType::adam;
  double beta1 = 0.9, beta2 = 0.999;  // Adam, Ranger (whose authors take 0.95)
  double eps = 1e-8;                  // Adam, Ranger (1e-5)
  double weight_decay = 0;
  // false: L2, weight_decay·w joins the gradient. true: w shrinks by lr·weight_decay beside the step
  // (Loshchilov & Hutter, ICLR 2019), as it always does in AdamW and Ranger, and never in SGD.
  bool decoupled = false;
  double momentum = 0.9;             // SGD
  std::int64_t lookahead_steps = 6;  // Ranger: k
  double lookahead_pull = 0.5;       // Ranger: α
};

class Optimizer {
 public:
  Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;
  virtual ~Optimizer() = default;

  // Uses each parameter's grad(), times gradient_scale (see clip_factor); a parameter without one is
  // left as it is.
  virtual void step(double lr, double gradient_scale = 1) = 0;

  // NAME.KEY of each parameter, sharing the values: save them, or clone them, before the next step.
  // The keys: "step" (int64, [1]), how often it was updated; Adam and Ranger "mean" and "square", SGD
  // "momentum", Ranger "slow".
  virtual std::map<std::string, Tensor> state() const = 0;
  // Copies the values in. Nothing changes unless every name, shape and dtype fits.
  void load_state(const std::map<std::string, Tensor>& state);
};

// The parameters' values are updated in place; the handles are kept.
std::unique_ptr<Optimizer> make_optimizer(const std::vector<NamedTensor>& parameters,
                                          const OptimizerOptions& options);

// The norm of all gradients together: not finite when a gradient is not. Waits for them.
double gradient_norm(const Tensors& parameters);
// What gradients of this norm are to be multiplied by: max_norm/(norm + 1e-6) where that is below 1.
double clip_factor(double norm, double max_norm);

}  // namespace mini::nn
