#include "train/pass.h"

#include <algorithm>
#include <cmath>

#include "autograd/engine.h"
#include "ops/optimizer.h"
#include "tensor/view.h"

namespace mini::train {
namespace {

constexpr int warm_up = 2;  // passes: by then every library has made its choices and its scratch

bool all_finite(const std::vector<Named>& values) {
  return std::all_of(values.begin(), values.end(),
                     [](const Named& value) { return std::isfinite(value.second); });
}

}  // namespace

TrainingPass::TrainingPass(const models::InvertibleRescaler& network, const Objective& objective,
                           PassOptions options)
    : network_(network),
      objective_(objective),
      options_(std::move(options)),
      parameters_(network.parameters()) {
  if (!options_.backward) options_.backward = [](const Tensor& loss) { backward(loss); };
}

std::vector<Named> TrainingPass::Queued::wait() const {
  const Tensor& numbers = values.wait();
  std::vector<Named> result;
  for (std::size_t i = 0; i < names.size(); ++i)
    result.emplace_back(names[i], numbers.data<double>()[i]);
  result.back().second = std::sqrt(result.back().second);
  return result;
}

TrainingPass::Queued TrainingPass::queue(const Tensor& hr, const Tensor& lr_reference, int variant,
                                         Generator& random) {
  const Losses losses =
      objective_.losses(network_, hr, lr_reference, variant, random, options_.share);
  options_.backward(losses.total);
  Tensors gradients;
  for (const Tensor& parameter : parameters_)
    if (const Tensor gradient = parameter.grad(); gradient.defined()) gradients.push_back(gradient);

  Queued result;
  Tensors values;
  const auto tell = [&](const std::string& name, const Tensor& value) {
    result.names.push_back(name);
    values.push_back(value);
  };
  tell("loss", losses.total);
  for (const LossTerm& term : losses.terms) tell(term.name, term.value);
  tell("gradient_norm",
       gradients.empty() ? Tensor::scalar(0, DType::float64) : ops::sum_of_squares(gradients));
  const Tensor all = Tensor::empty({std::ssize(values)}, DType::float64, hr.device());
  for (std::size_t i = 0; i < values.size(); ++i)
    ops::copy(ops::reshape(values[i].detach(), {}),
              ops::select(all, 0, static_cast<std::int64_t>(i)));
  result.values = HostCopy(all);
  return result;
}

// From the first pass that can be captured on, the batch has a place of its own.
bool TrainingPass::is_warm(const Tensor& hr, const Tensor& lr_reference) {
  if (!options_.replay || !hr.device().is_cuda() || eager_passes_ < warm_up) return false;
  if (!hr_.defined()) {
    hr_ = Tensor::empty(hr.shape(), hr.dtype(), hr.device());
    lr_reference_ = Tensor::empty(lr_reference.shape(), hr.dtype(), hr.device());
    allocator(hr.device()).trim();  // the replays will not use what was freed so far
    pool_ = std::make_shared<Allocator::Pool>(allocator(hr.device()));
  }
  return hr.shape() == hr_.shape() && lr_reference.shape() == lr_reference_.shape();
}

TrainingPass::Replay TrainingPass::capture(int variant, const Generator& random) {
  Replay replay;
  replay.graph = std::make_unique<Graph>(hr_.device(), pool_);
  Generator drawn_from = random;
  replay.graph->capture(random, [&] {
    replay.results = queue(hr_, lr_reference_, variant, drawn_from);
    for (Tensor parameter : parameters_) {
      replay.gradients.push_back(parameter.grad());
      parameter.set_grad({});
    }
  });
  replay.drawn = drawn_from.offset - random.offset;
  return replay;
}

std::vector<Named> TrainingPass::run(const Tensor& hr, const Tensor& lr_reference,
                                     Generator& random) {
  const int variant = objective_.variant(random);
  if (!is_warm(hr, lr_reference)) {
    ++eager_passes_;
    return queue(hr, lr_reference, variant, random).wait();
  }
  for (Tensor parameter : parameters_) parameter.set_grad({});
  ops::copy(hr, hr_);
  ops::copy(lr_reference, lr_reference_);
  if (!replays_.contains(variant)) replays_.emplace(variant, capture(variant, random));
  const Replay& replay = replays_.at(variant);
  replay.graph->replay(random);
  std::vector<Named> values = replay.results.wait();
  // A captured pass has room for a few values that exact mode keeps aside (ops/correction.h), and
  // says by NaN when there were more. Whatever it was: computed anew, it comes out right, or it is
  // the caller's to see.
  if (!all_finite(values)) return queue(hr_, lr_reference_, variant, random).wait();
  random.offset += replay.drawn;
  for (std::size_t i = 0; i < parameters_.size(); ++i) parameters_[i].set_grad(replay.gradients[i]);
  return values;
}

}  // namespace mini::train
