#include "nn/batch_norm.h"

#include <vector>

#include "autograd/functions.h"
#include "ops/elementwise.h"
#include "tensor/view.h"

namespace mini::nn {
namespace {

// running = (1 - momentum)·running + scale·momentum·batch, in place.
void move_towards(const Tensor& running, const Tensor& batch, double momentum, double scale) {
  const Tensor kept = ops::unary(Unary::affine, running, 1 - momentum);
  const Tensor added = ops::unary(Unary::affine, batch, scale * momentum);
  ops::copy(ops::add(kept, ops::reshape(added, running.shape())), running);
}

}  // namespace

BatchNorm::BatchNorm(std::int64_t channels, double eps, double momentum)
    : weight(Tensor::ones({channels})),
      bias(Tensor::zeros({channels})),
      running_mean(Tensor::zeros({channels})),
      running_var(Tensor::ones({channels})),
      eps_(eps),
      momentum_(momentum),
      num_batches_tracked_(Tensor::zeros({}, DType::int64)) {
  register_parameter("weight", weight);
  register_parameter("bias", bias);
  register_buffer("running_mean", running_mean);
  register_buffer("running_var", running_var);
  register_buffer("num_batches_tracked", num_batches_tracked_);
}

Tensor BatchNorm::operator()(const Tensor& x) const {
  check(x.rank() >= 2 && x.size(1) == weight.size(0), "batch_norm: needs [N,", weight.size(0),
        ",..], got ", x.shape());
  std::vector<int> batch{0};
  Shape channels{1, x.size(1)};
  for (int d = 2; d < x.rank(); ++d) {
    batch.push_back(d);
    channels.push_back(1);
  }
  Tensor average = reshape(running_mean, channels), variance = reshape(running_var, channels);
  Tensor centred;
  if (training()) {
    const double count = static_cast<double>(x.numel()) / static_cast<double>(x.size(1));
    check(count > 1, "batch_norm: training needs more than one value per channel, got ", x.shape(),
          "; use a larger batch");
    average = mean(x, batch, true);
    centred = x - average;
    variance = mean(square(centred), batch, true);
    move_towards(running_mean, average.detach(), momentum_, 1);
    move_towards(running_var, variance.detach(), momentum_, count / (count - 1));
  } else {
    centred = x - average;
  }
  const Tensor scale = reshape(weight, channels) / sqrt(variance + eps_);
  return centred * scale + reshape(bias, channels);
}

}  // namespace mini::nn
