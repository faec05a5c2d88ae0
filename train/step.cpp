#include "train/step.h"

#include <algorithm>
#include <cmath>

#include "autograd/engine.h"
#include "tensor/view.h"

namespace mini::train {
namespace {

bool is_among(const Tensor& tensor, const std::vector<nn::NamedTensor>& others) {
  return std::any_of(others.begin(), others.end(), [&](const nn::NamedTensor& other) {
    return other.tensor.autograd() == tensor.autograd();
  });
}

// Parameters that take no part meanwhile, so that what only they need for their gradients is not kept.
class Frozen {
 public:
  explicit Frozen(Tensors parameters) : parameters_(std::move(parameters)) {
    for (Tensor& parameter : parameters_) parameter.set_requires_grad(false);
  }
  ~Frozen() {
    for (Tensor& parameter : parameters_) parameter.set_requires_grad(true);
  }
  Frozen(const Frozen&) = delete;
  Frozen& operator=(const Frozen&) = delete;

 private:
  Tensors parameters_;
};

// The first value that is not finite.
std::optional<Named> not_finite(const std::vector<Named>& values) {
  for (const Named& value : values)
    if (!std::isfinite(value.second)) return value;
  return std::nullopt;
}

std::string prefix_of(const std::string& name) { return name.empty() ? name : name + '.'; }

// The batch as the modules take it; that one is used up.
Batch prepared(Batch&& batch, DType dtype, Device device) {
  const auto prepare = [&](Tensor&& images) {
    const Tensor own = std::move(images);
    if (device.is_cpu()) return ops::cast(own, dtype);
    return from_host(own.shape(), dtype, device,
                     [&](const Tensor& values) { ops::copy(own, values); });
  };
  Tensor hr = prepare(std::move(batch.hr));
  return {std::move(hr), prepare(std::move(batch.lr_reference))};
}

}  // namespace

struct StepTaker::Planned {
  Update update;
  Tensors others;  // of the modules' parameters those that it does not train
  nn::Optimizer* optimizer = nullptr;
  std::optional<GradientSync> sync;  // not of a process alone
  Work work;
};

StepTaker::~StepTaker() = default;

StepTaker::StepTaker(Recipe& recipe, StepOptions options)
    : recipe_(recipe),
      options_(std::move(options)),
      collective_(options_.collective != nullptr ? *options_.collective : single_process()),
      pass_(options_.replay && collective_.size() == 1) {
  check(collective_.size() == 1 || recipe.divisible(),
        "train: the losses of this recipe compare the samples of a batch with each other, so it "
        "cannot be divided among ",
        collective_.size(), " processes; start one");
  std::map<std::string, std::vector<nn::NamedTensor>> trained;  // by optimiser
  for (Update& update : recipe.updates()) {
    check(update.every >= 1 && !update.parameters.empty(), "train: the update '", update.name,
          "' must train something, in every so-manieth step");
    for (const auto& [optimizer, parameters] : trained)
      for (const nn::NamedTensor& parameter : update.parameters)
        check(optimizer == update.optimizer || !is_among(parameter.tensor, parameters),
              "train: ", parameter.name, " is trained by two optimisers, '", optimizer, "' and '",
              update.optimizer, "'");
    Planned planned{};
    std::vector<nn::NamedTensor>& own = trained[update.optimizer];
    for (const nn::NamedTensor& parameter : update.parameters) {
      planned.work.parameters.push_back(parameter.tensor);
      if (is_among(parameter.tensor, own)) continue;
      own.push_back(parameter);
      parameters_.push_back(parameter.tensor);
    }
    planned.update = std::move(update);
    updates_.push_back(std::move(planned));
  }
  for (const auto& [name, parameters] : trained)
    optimizers_.emplace(name, nn::make_optimizer(parameters, options_.optimizer));

  for (std::size_t i = 0; i < updates_.size(); ++i) {
    Planned& planned = updates_[i];
    for (const Tensor& parameter : recipe.modules().parameters())
      if (parameter.requires_grad() && !is_among(parameter, planned.update.parameters))
        planned.others.push_back(parameter);
    planned.optimizer = optimizers_.at(planned.update.optimizer).get();
    planned.work.kind = i;
    if (collective_.size() == 1) continue;
    planned.sync.emplace(planned.work.parameters, collective_);
    planned.work.backward = [this, &sync = *planned.sync](const Tensor& loss) {
      backward_all(sync, loss);
    };
  }
}

// The gradient of the mean over all processes is the sum of those of the shares, each divided by
// their number: at the start of backward, where it costs nothing.
void StepTaker::backward_all(GradientSync& sync, const Tensor& loss) {
  const Tensor part =
      Tensor::full(loss.shape(), 1.0 / collective_.size(), loss.dtype(), loss.device());
  backward(loss, part, {.leaf_complete = [&](const AutogradMeta& leaf) { sync.complete(leaf); }});
  sync.finish();
}

// Losses are means over the whole batch; the gradients, and their norm, are those of it already.
PassResult StepTaker::run_pass(Planned& update, const Batch& batch, Generator& noise) {
  const Frozen frozen(update.others);
  const std::size_t kind = update.work.kind;
  update.work.variant = recipe_.variant(kind, noise);
  update.work.losses = [&, kind](const Batch& images, Generator& random) {
    return recipe_.losses(kind, images, update.work.variant, random, share_of(collective_));
  };
  PassResult result = pass_.run(update.work, batch, noise);
  if (collective_.size() == 1) return result;
  std::vector<double> losses;
  for (const Named& term : result.terms) losses.push_back(term.second);
  const std::vector<double> sums = collective_.all_reduce(losses);
  for (std::size_t i = 0; i < sums.size(); ++i)
    result.terms[i].second = sums[i] / collective_.size();
  return result;
}

StepResult StepTaker::take(Batch&& taken, Position& position, Generator& noise) {
  const Tensor& any = parameters_.front();
  const Batch batch = prepared(std::move(taken), any.dtype(), any.device());
  StepResult step{.values = {}, .lr = options_.learning_rate(position.step)};
  for (; position.update < updates_.size(); ++position.update) {
    Planned& planned = updates_[position.update];
    if ((position.step + 1) % planned.update.every != 0) continue;
    const Generator noise_before = noise;
    const PassResult result = run_pass(planned, batch, noise);
    std::vector<Named> values = result.terms;
    values.emplace_back("gradient_norm", result.gradient_norm);
    for (Named& value : values) value.first.insert(0, prefix_of(planned.update.name));
    step.not_finite = not_finite(values);
    if (!step.not_finite)
      planned.optimizer->step(
          step.lr,
          options_.clip_norm > 0 ? nn::clip_factor(result.gradient_norm, options_.clip_norm) : 1);
    // Now, not before the next backward: until then the next activations need the memory.
    for (Tensor parameter : planned.work.parameters) parameter.set_grad({});
    if (step.not_finite) {
      noise = noise_before;
      return step;
    }
    step.values.insert(step.values.end(), values.begin(), values.end());
  }
  position = {position.step + 1, 0};
  return step;
}

std::map<std::string, Tensor> StepTaker::optimizer_state() const {
  std::map<std::string, Tensor> state;
  for (const auto& [name, optimizer] : optimizers_)
    for (auto& [key, tensor] : optimizer->state()) state.emplace(prefix_of(name) + key, tensor);
  return state;
}

void StepTaker::load_optimizer_state(const std::map<std::string, Tensor>& state) {
  std::size_t taken = 0;
  for (const auto& [name, optimizer] : optimizers_) {
    std::map<std::string, Tensor> own;
    const std::string prefix = prefix_of(name);
    for (const auto& [key, tensor] : state)
      if (key.starts_with(prefix)) own.emplace(key.substr(prefix.size()), tensor);
    optimizer->load_state(own);
    taken += own.size();
  }
  check(taken == state.size(), "train: the saved state is of other optimisers; it has ",
        state.size(), " tensors, and ", taken, " are known here");
}

}  // namespace mini::train
