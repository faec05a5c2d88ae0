#include "train/optimizer.h"

#include <cmath>

#include "ops/elementwise.h"
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

void Adam::step(double lr) {
  for (Slot& slot : slots_) {
    const Tensor gradient = slot.parameter.grad();
    if (!gradient.defined()) continue;
    const auto t = static_cast<double>(++*slot.steps.data<std::int64_t>());
    AdamStep step{.beta1 = options_.beta1, .beta2 = options_.beta2, .eps = options_.eps};
    if (options_.decoupled)
      step.shrink = 1 - lr * options_.weight_decay;
    else
      step.weight_decay = options_.weight_decay;
    step.step_size = lr / (1 - std::pow(options_.beta1, t));
    step.root_correction = std::sqrt(1 - std::pow(options_.beta2, t));
    ops::adam_(slot.parameter, gradient, slot.mean, slot.square, step);
  }
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

double clip_gradient_norm(const Tensors& parameters, double max_norm) {
  double squares = 0;
  for (const Tensor& parameter : parameters)
    if (const Tensor gradient = parameter.grad(); gradient.defined())
      squares += ops::sum_of_squares(gradient);
  const double norm = std::sqrt(squares);
  const double factor = max_norm / (norm + 1e-6);
  if (factor >= 1) return norm;
  for (Tensor parameter : parameters)
    if (const Tensor gradient = parameter.grad(); gradient.defined())
      // A new tensor: a gradient may be a view that repeats elements or that others hold.
      parameter.set_grad(ops::unary(Unary::affine, gradient, factor, 0));
  return norm;
}

}  // namespace mini::train
