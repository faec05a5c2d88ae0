#include "train/optimizer.h"

#include <algorithm>
#include <cmath>

#include "ops/optimizer.h"
#include "tensor/view.h"

namespace mini::train {

Adam::Adam(const std::vector<nn::NamedTensor>& parameters, AdamOptions options)
    : options_(options) {
  const auto is_fraction = [](double beta) { return beta >= 0 && beta < 1; };
  check(is_fraction(options.beta1) && is_fraction(options.beta2),
        "adam: betas must be in [0,1), got ", options.beta1, " and ", options.beta2);
  check(options.eps >= 0 && options.weight_decay >= 0,
        "adam: eps and weight_decay must not be negative, got ", options.eps, " and ",
        options.weight_decay);
  slots_.reserve(parameters.size());
  const auto zeros_like = [](const Tensor& x) {
    Tensor zeros = Tensor::empty_like(x);
    ops::fill(zeros, 0);
    return zeros;
  };
  for (const auto& [name, parameter] : parameters)
    slots_.push_back({name, parameter, zeros_like(parameter), zeros_like(parameter),
                      Tensor::zeros({1}, DType::int64)});
}

void Adam::step(double lr, double gradient_scale) {
  std::vector<AdamSlot> slots;
  std::vector<AdamStep> steps;
  for (Slot& slot : slots_) {
    const Tensor gradient = slot.parameter.grad();
    if (!gradient.defined()) continue;
    const auto t = static_cast<double>(++*slot.steps.data<std::int64_t>());
    slots.push_back({slot.parameter, gradient, slot.mean, slot.square});
    steps.push_back({.gradient_scale = gradient_scale,
                     .shrink = options_.decoupled ? 1 - lr * options_.weight_decay : 1,
                     .step_size = lr / (1 - std::pow(options_.beta1, t)),
                     .root_correction = std::sqrt(1 - std::pow(options_.beta2, t))});
  }
  if (slots.empty()) return;
  ops::adam_(slots,
             {.beta1 = options_.beta1,
              .beta2 = options_.beta2,
              .eps = options_.eps,
              .weight_decay = options_.decoupled ? 0 : options_.weight_decay},
             ops::adam_steps(steps, slots.front().parameter.device()));
}

std::map<std::string, Tensor> Adam::state() const {
  std::map<std::string, Tensor> state;
  for (const Slot& slot : slots_) {
    state[slot.name + ".mean"] = slot.mean;
    state[slot.name + ".square"] = slot.square;
    state[slot.name + ".step"] = slot.steps;
  }
  return state;
}

void Adam::load_state(const std::map<std::string, Tensor>& state) {
  const std::map<std::string, Tensor> own = this->state();
  for (const auto& [name, tensor] : own) {
    const auto found = state.find(name);
    check(found != state.end(), "adam: the saved state has no ", name,
          "; it belongs to another network");
    const Tensor& saved = found->second;
    check(saved.shape() == tensor.shape() && saved.dtype() == tensor.dtype(), "adam: ", name,
          " is ", tensor.dtype(), tensor.shape(), " here and ", saved.dtype(), saved.shape(),
          " in the saved state");
  }
  for (const auto& [name, tensor] : state)
    check(own.contains(name), "adam: the saved state has ", name,
          ", which this network does not have");
  for (const auto& [name, tensor] : own) ops::copy(state.at(name), tensor);
}

double gradient_norm(const Tensors& parameters) {
  Tensors gradients;
  for (const Tensor& parameter : parameters)
    if (const Tensor gradient = parameter.grad(); gradient.defined()) gradients.push_back(gradient);
  return gradients.empty() ? 0 : std::sqrt(ops::sum_of_squares(gradients).item());
}

double clip_factor(double norm, double max_norm) { return std::min(1.0, max_norm / (norm + 1e-6)); }

}  // namespace mini::train
