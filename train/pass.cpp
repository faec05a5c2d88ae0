#include "train/pass.h"

#include <algorithm>
#include <cmath>

#include "autograd/engine.h"
#include "ops/optimizer.h"
#include "tensor/view.h"

namespace mini::train {
namespace {

constexpr int warm_up = 2;  // passes: by then every library has made its choices and its scratch

bool is_finite(const PassResult& result) {
  return std::isfinite(result.gradient_norm) &&
         std::all_of(result.terms.begin(), result.terms.end(),
                     [](const Named& term) { return std::isfinite(term.second); });
}

bool same_shape(const Batch& a, const Batch& b) {
  return a.hr.shape() == b.hr.shape() && a.lr_reference.shape() == b.lr_reference.shape();
}

}  // namespace

PassResult Pass::Queued::wait() const {
  const double* const numbers = values.wait().data<double>();
  PassResult result;
  for (std::size_t i = 0; i < names.size(); ++i) result.terms.emplace_back(names[i], numbers[i]);
  result.gradient_norm = std::sqrt(numbers[names.size()]);
  return result;
}

Pass::Queued Pass::queue(const Work& work, const Batch& batch, Generator& random) {
  const Losses losses = work.losses(batch, random);
  if (work.backward)
    work.backward(losses.total);
  else
    backward(losses.total);
  Tensors gradients;
  for (const Tensor& parameter : work.parameters)
    if (const Tensor gradient = parameter.grad(); gradient.defined()) gradients.push_back(gradient);

  Queued result{.names = {"loss"}};
  Tensors values{losses.total};
  for (const LossTerm& term : losses.terms) {
    result.names.push_back(term.name);
    values.push_back(term.value);
  }
  values.push_back(gradients.empty() ? Tensor::scalar(0, DType::float64)
                                     : ops::sum_of_squares(gradients));
  const Tensor all = Tensor::empty({std::ssize(values)}, DType::float64, batch.hr.device());
  for (std::size_t i = 0; i < values.size(); ++i)
    ops::copy(ops::reshape(values[i].detach(), {}),
              ops::select(all, 0, static_cast<std::int64_t>(i)));
  result.values = HostCopy(all);
  return result;
}

// From the first pass that can be captured on, the batch has a place of its own.
bool Pass::is_warm(const Work& work, const Batch& batch) {
  if (!replay_ || !work.variant || !batch.hr.device().is_cuda()) return false;
  if (place_.hr.defined() && !same_shape(batch, place_)) {
    replays_.clear();
    eager_passes_.clear();
    place_ = {};
  }
  if (eager_passes_[work.kind] < warm_up) return false;
  if (!place_.hr.defined()) {
    const auto place_for = [](const Tensor& x) {
      return Tensor::empty(x.shape(), x.dtype(), x.device());
    };
    place_ = {place_for(batch.hr), place_for(batch.lr_reference)};
    allocator(batch.hr.device()).trim();  // the replays will not use what was freed so far
    pool_ = std::make_shared<Allocator::Pool>(allocator(batch.hr.device()));
  }
  return true;
}

Pass::Replay Pass::capture(const Work& work, const Generator& random) {
  Replay replay;
  replay.graph = std::make_unique<Graph>(place_.hr.device(), pool_);
  Generator drawn_from = random;
  replay.graph->capture(random, [&] {
    replay.results = queue(work, place_, drawn_from);
    for (Tensor parameter : work.parameters) {
      replay.gradients.push_back(parameter.grad());
      parameter.set_grad({});
    }
  });
  replay.drawn = drawn_from.offset - random.offset;
  return replay;
}

PassResult Pass::run(const Work& work, const Batch& batch, Generator& random) {
  if (!is_warm(work, batch)) {
    ++eager_passes_[work.kind];
    return queue(work, batch, random).wait();
  }
  for (Tensor parameter : work.parameters) parameter.set_grad({});
  ops::copy(batch.hr, place_.hr);
  ops::copy(batch.lr_reference, place_.lr_reference);
  const std::pair key(work.kind, *work.variant);
  if (!replays_.contains(key)) replays_.emplace(key, capture(work, random));
  const Replay& replay = replays_.at(key);
  replay.graph->replay(random);
  const PassResult result = replay.results.wait();
  // A captured pass has room for a few values that exact mode keeps aside (ops/correction.h), and
  // says by NaN when there were more. Whatever it was: computed anew, it comes out right, or it is
  // the caller's to see.
  if (!is_finite(result)) return queue(work, place_, random).wait();
  random.offset += replay.drawn;
  for (std::size_t i = 0; i < work.parameters.size(); ++i) {
    Tensor parameter = work.parameters[i];
    parameter.set_grad(replay.gradients[i]);
  }
  return result;
}

}  // namespace mini::train
