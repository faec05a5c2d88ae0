#include "nn/optimizer.h"

#include <algorithm>
#include <cmath>

#include "ops/elementwise.h"
#include "ops/optimizer.h"
#include "ops/reduce.h"
#include "tensor/view.h"

namespace mini::nn {
namespace {

Tensor zeros_like(const Tensor& x) {
  Tensor zeros = Tensor::empty_like(x);
  ops::fill(zeros, 0);
  return zeros;
}

// x *= factor
void scale_(const Tensor& x, double factor) {
  ops::copy(ops::unary(Unary::affine, x, factor, 0), x);
}

class Adam : public Optimizer {
 public:
  Adam(const std::vector<NamedTensor>& parameters, const OptimizerOptions& options)
      : options_(options) {
    slots_.reserve(parameters.size());
    for (const auto& [name, parameter] : parameters)
      slots_.push_back({name, parameter, zeros_like(parameter), zeros_like(parameter),
                        Tensor::zeros({1}, DType::int64)});
  }

  void step(double lr, double gradient_scale) override {
    std::vector<AdamSlot> slots;
    std::vector<AdamStep> steps;
    for (Slot& slot : slots_) {
      const Tensor gradient = slot.parameter.grad();
      if (!gradient.defined()) continue;
      const auto t = static_cast<double>(++*slot.steps.data<std::int64_t>());
      slots.push_back({slot.parameter, taken(gradient), slot.mean, slot.square});
      steps.push_back(numbers(lr, gradient_scale, t));
    }
    if (slots.empty()) return;
    ops::adam_(slots,
               {.beta1 = options_.beta1,
                .beta2 = options_.beta2,
                .eps = options_.eps,
                .weight_decay = options_.decoupled ? 0 : options_.weight_decay},
               ops::adam_steps(steps, slots.front().parameter.device()));
  }

  std::map<std::string, Tensor> state() const override {
    std::map<std::string, Tensor> state;
    for (const Slot& slot : slots_) {
      state[slot.name + ".mean"] = slot.mean;
      state[slot.name + ".square"] = slot.square;
      state[slot.name + ".step"] = slot.steps;
    }
    return state;
  }

 protected:
  struct Slot {
    std::string name;
    Tensor parameter, mean, square;
    Tensor steps;  // int64, [1]: how often this parameter was updated
  };

  double shrink(double lr) const { return options_.decoupled ? 1 - lr * options_.weight_decay : 1; }
  // The gradient as it is used, and the numbers of a parameter's step t.
  virtual Tensor taken(const Tensor& gradient) const { return gradient; }
  virtual AdamStep numbers(double lr, double gradient_scale, double t) const {
    return {.gradient_scale = gradient_scale,
            .shrink = shrink(lr),
            .step_size = lr / (1 - std::pow(options_.beta1, t)),
            .root_correction = std::sqrt(1 - std::pow(options_.beta2, t))};
  }

  OptimizerOptions options_;
  std::vector<Slot> slots_;
};

class Ranger : public Adam {
 public:
  Ranger(const std::vector<NamedTensor>& parameters, const OptimizerOptions& options)
      : Adam(parameters, options) {
    for (const Slot& slot : slots_) slow_.push_back(ops::clone(slot.parameter.detach()));
  }

  void step(double lr, double gradient_scale) override {
    Adam::step(lr, gradient_scale);
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      const Slot& slot = slots_[i];
      if (!slot.parameter.grad().defined()) continue;
      const std::int64_t t = *slot.steps.data<std::int64_t>();
      const Tensor weights = slot.parameter.detach();
      // The kernel has brought the mean up to date, and moved nothing.
      if (!is_rectified(static_cast<double>(t)))
        ops::add_(weights, slot.mean, -lr / (1 - std::pow(options_.beta1, static_cast<double>(t))));
      if (t % options_.lookahead_steps != 0) continue;
      scale_(slow_[i], 1 - options_.lookahead_pull);
      ops::add_(slow_[i], weights, options_.lookahead_pull);
      ops::copy(slow_[i], weights);
    }
  }

  std::map<std::string, Tensor> state() const override {
    std::map<std::string, Tensor> state = Adam::state();
    for (std::size_t i = 0; i < slots_.size(); ++i) state[slots_[i].name + ".slow"] = slow_[i];
    return state;
  }

 private:
  Tensor taken(const Tensor& gradient) const override {
    if (gradient.rank() < 2) return gradient;
    std::vector<int> others;
    for (int dim = 1; dim < gradient.rank(); ++dim) others.push_back(dim);
    const Tensor sums = ops::sum(gradient, others, true);
    const double count = static_cast<double>(gradient.numel()) / static_cast<double>(sums.numel());
    return ops::add(gradient, ops::unary(Unary::affine, sums, -1 / count, 0));
  }

  double most() const { return 2 / (1 - options_.beta2) - 1; }  // ρ∞
  double rho(double t) const {
    const double power = std::pow(options_.beta2, t);
    return most() - 2 * t * power / (1 - power);
  }
  bool is_rectified(double t) const { return rho(t) > 5; }

  AdamStep numbers(double lr, double gradient_scale, double t) const override {
    AdamStep step{.gradient_scale = gradient_scale,
                  .shrink = shrink(lr),
                  .step_size = 0,
                  .root_correction = 1};
    if (!is_rectified(t)) return step;
    const double r = rho(t), all = most();
    const double rectification =
        (r - 4) / (all - 4) * (r - 2) / r * all / (all - 2) * (1 - std::pow(options_.beta2, t));
    step.step_size = lr * std::sqrt(rectification) / (1 - std::pow(options_.beta1, t));
    return step;
  }

  Tensors slow_;
};

class Sgd : public Optimizer {
 public:
  Sgd(const std::vector<NamedTensor>& parameters, const OptimizerOptions& options)
      : options_(options) {
    for (const auto& [name, parameter] : parameters)
      slots_.push_back({name, parameter, zeros_like(parameter), Tensor::zeros({1}, DType::int64)});
  }

  void step(double lr, double gradient_scale) override {
    for (Slot& slot : slots_) {
      const Tensor gradient = slot.parameter.grad();
      if (!gradient.defined()) continue;
      ++*slot.steps.data<std::int64_t>();
      const Tensor weights = slot.parameter.detach();
      scale_(slot.momentum, options_.momentum);  // of nothing but zeros in the first step
      ops::add_(slot.momentum, gradient, gradient_scale);
      if (options_.weight_decay != 0) ops::add_(slot.momentum, weights, options_.weight_decay);
      ops::add_(weights, slot.momentum, -lr);
    }
  }

  std::map<std::string, Tensor> state() const override {
    std::map<std::string, Tensor> state;
    for (const Slot& slot : slots_) {
      state[slot.name + ".momentum"] = slot.momentum;
      state[slot.name + ".step"] = slot.steps;
    }
    return state;
  }

 private:
  struct Slot {
    std::string name;
    Tensor parameter, momentum, steps;
  };
  OptimizerOptions options_;
  std::vector<Slot> slots_;
};

void validate(const OptimizerOptions& options) {
  const auto is_fraction = [](double beta) { return beta >= 0 && beta < 1; };
  check(is_fraction(options.beta1) && is_fraction(options.beta2),
        "optimizer: betas must be in [0,1), got ", options.beta1, " and ", options.beta2);
  check(options.eps >= 0 && options.weight_decay >= 0,
        "optimizer: eps and weight_decay must not be negative, got ", options.eps, " and ",
        options.weight_decay);
  check(is_fraction(options.momentum), "optimizer: momentum must be in [0,1), got ",
        options.momentum);
  check(options.lookahead_steps >= 1 && options.lookahead_pull > 0 && options.lookahead_pull <= 1,
        "optimizer: Lookahead needs at least one step and a pull in (0,1], got ",
        options.lookahead_steps, " and ", options.lookahead_pull);
}

}  // namespace

void Optimizer::load_state(const std::map<std::string, Tensor>& state) {
  const std::map<std::string, Tensor> own = this->state();
  for (const auto& [name, tensor] : own) {
    const auto found = state.find(name);
    check(found != state.end(), "optimizer: the saved state has no ", name,
          "; it belongs to another network or another optimiser");
    const Tensor& saved = found->second;
    check(saved.shape() == tensor.shape() && saved.dtype() == tensor.dtype(), "optimizer: ", name,
          " is ", tensor.dtype(), tensor.shape(), " here and ", saved.dtype(), saved.shape(),
          " in the saved state");
  }
  for (const auto& [name, tensor] : state)
    check(own.contains(name), "optimizer: the saved state has ", name,
          ", which this network or this optimiser does not have");
  for (const auto& [name, tensor] : own) ops::copy(state.at(name), tensor);
}

std::unique_ptr<Optimizer> make_optimizer(const std::vector<NamedTensor>& parameters,
                                          const OptimizerOptions& given) {
  validate(given);
  OptimizerOptions options = given;
  switch (options.type) {
    case OptimizerType::adam:
      return std::make_unique<Adam>(parameters, options);
    case OptimizerType::adamw:
      options.decoupled = true;
      return std::make_unique<Adam>(parameters, options);
    case OptimizerType::sgd:
      return std::make_unique<Sgd>(parameters, options);
    case OptimizerType::ranger:
      options.decoupled = true;
      return std::make_unique<Ranger>(parameters, options);
  }
  fail("optimizer: no such type");
}

double gradient_norm(const Tensors& parameters) {
  Tensors gradients;
  for (const Tensor& parameter : parameters)
    if (const Tensor gradient = parameter.grad(); gradient.defined()) gradients.push_back(gradient);
  return gradients.empty() ? 0 : std::sqrt(ops::sum_of_squares(gradients).item());
}

double clip_factor(double norm, double max_norm) { return std::min(1.0, max_norm / (norm + 1e-6)); }

}  // namespace mini::nn
