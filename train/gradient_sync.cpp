// See train/gradient_sync.h.
#include "train/gradient_sync.h"

#include <algorithm>

#include "tensor/view.h"

namespace mini::train {

GradientSync::GradientSync(Tensors parameters, Collective& collective, std::size_t bucket_bytes)
    : parameters_(std::move(parameters)), collective_(collective), bucket_bytes_(bucket_bytes) {
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    check(parameters_[i].dtype() == parameters_.front().dtype(), "gradient_sync: parameters of ",
          parameters_.front().dtype(), " and ", parameters_[i].dtype(),
          "; they must all be of one dtype");
    check(parameters_[i].requires_grad(), "gradient_sync: parameter ", i, " takes no gradient");
    places_[parameters_[i].autograd().get()] = {i, 0};
  }
}

void GradientSync::complete(const AutogradMeta& leaf) {
  collective_.poll();
  const auto found = places_.find(&leaf);
  if (found == places_.end()) return;  // not a parameter
  if (buckets_.empty()) {
    order_.push_back(found->second.parameter);
    return;
  }
  --buckets_[found->second.bucket].incomplete;
  while (started_ < buckets_.size() && buckets_[started_].incomplete == 0) start_next();
}

void GradientSync::finish() {
  if (buckets_.empty()) plan();
  // Parameters that backward did not reach will get no gradient; they count as complete now.
  while (started_ < buckets_.size()) start_next();
  collective_.wait();
  for (Bucket& bucket : buckets_) {
    const auto count = static_cast<std::int64_t>(bucket.parameters.size());
    const std::vector<double> present =
        ops::narrow(bucket.values, 0, bucket.values.numel() - count, count).to_vector();
    std::int64_t start = 0;
    for (std::size_t i = 0; i < bucket.parameters.size(); ++i) {
      Tensor& parameter = parameters_[bucket.parameters[i]];
      const Tensor sum = ops::narrow(bucket.values, 0, start, parameter.numel());
      parameter.set_grad(present[i] > 0 ? ops::reshape(sum, parameter.shape()) : Tensor());
      start += parameter.numel();
    }
    bucket.incomplete = bucket.parameters.size();
  }
  started_ = 0;
}

// Copies the next bucket's gradients together and starts its sum.
void GradientSync::start_next() {
  Bucket& bucket = buckets_[started_++];
  const auto count = static_cast<std::int64_t>(bucket.parameters.size());
  std::int64_t start = 0, flag = bucket.values.numel() - count;
  for (const std::size_t i : bucket.parameters) {
    Tensor& parameter = parameters_[i];
    const Tensor gradient = parameter.grad();
    parameter.set_grad({});  // its memory is free for the rest of backward
    const Tensor part = ops::narrow(bucket.values, 0, start, parameter.numel());
    if (gradient.defined())
      ops::copy(gradient, ops::reshape(part, parameter.shape()));
    else
      ops::fill(part, 0);
    ops::fill(ops::narrow(bucket.values, 0, flag++, 1), gradient.defined() ? 1 : 0);
    start += parameter.numel();
  }
  collective_.start_all_reduce(bucket.values);
}

// Divides the parameters into buckets, in the order that rank 0 recorded.
void GradientSync::plan() {
  std::vector<bool> seen(parameters_.size());
  for (const std::size_t i : order_) seen[i] = true;
  for (std::size_t i = 0; i < parameters_.size(); ++i)
    if (!seen[i]) order_.push_back(i);
  const Tensor order = Tensor::empty({static_cast<std::int64_t>(order_.size())}, DType::int64);
  std::copy(order_.begin(), order_.end(), order.data<std::int64_t>());
  collective_.broadcast(order);

  std::int64_t elements = 0;
  const auto close = [&] {
    Bucket& bucket = buckets_.back();
    bucket.incomplete = bucket.parameters.size();
    bucket.values = Tensor::empty({elements + static_cast<std::int64_t>(bucket.parameters.size())},
                                  parameters_.front().dtype(), parameters_.front().device());
    elements = 0;
  };
  for (const std::int64_t i : std::span(order.data<std::int64_t>(), order_.size())) {
    const Tensor& parameter = parameters_[static_cast<std::size_t>(i)];
    if (buckets_.empty() || buckets_.back().values.defined()) buckets_.emplace_back();
    buckets_.back().parameters.push_back(static_cast<std::size_t>(i));
    places_[parameter.autograd().get()].bucket = buckets_.size() - 1;
    elements += parameter.numel();
    if (static_cast<std::size_t>(elements) * element_size(parameter.dtype()) >= bucket_bytes_)
      close();
  }
  if (!buckets_.empty() && !buckets_.back().values.defined()) close();
}

}  // namespace mini::train
