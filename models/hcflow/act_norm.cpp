#include "models/hcflow/act_norm.h"

#include <array>

#include "autograd/functions.h"
#include "autograd/node.h"
#include "tensor/queue.h"
#include "tensor/view.h"

namespace mini::models {

ActNorm::ActNorm(std::int64_t channels)
    : bias_(Tensor::zeros({1, channels, 1, 1})), logs_(Tensor::zeros({1, channels, 1, 1})) {
  register_parameter("bias", bias_);
  register_parameter("logs", logs_);
}

Tensor ActNorm::operator()(const Tensor& x) const {
  if (training() && !is_set_) set_from(x.detach());
  return (x + bias_) * exp(logs_);
}

Tensor ActNorm::inverse(const Tensor& y) const { return y * exp(-logs_) - bias_; }

Tensor ActNorm::log_det(const Shape& x) const {
  return sum(logs_) * static_cast<double>(x[2] * x[3]);
}

void ActNorm::set_from(const Tensor& x) const {
  const NoGrad no_grad;
  is_set_ = true;
  const Tensor biases = HostCopy(bias_.detach()).wait();
  for (const double bias : biases.to_vector())
    if (bias != 0) return;  // loaded
  constexpr std::array<int, 3> all_but_channels{0, 2, 3};
  const Tensor average = mean(x, all_but_channels, true);
  const Tensor deviation = sqrt(mean(square(x - average), all_but_channels, true));
  ops::copy(-average, bias_);
  ops::copy(-log(deviation + 1e-6), logs_);
}

NormalisedConv2d::NormalisedConv2d(std::int64_t in, std::int64_t out, std::int64_t kernel)
    : Conv2d(in, out, kernel, nn::same_size(kernel), nn::Bias::no), actnorm_(out) {
  register_module("actnorm", actnorm_);
}

Tensor NormalisedConv2d::operator()(const Tensor& x) const {
  return actnorm_(Conv2d::operator()(x));
}

ScaledConv2d::ScaledConv2d(std::int64_t in, std::int64_t out)
    : Conv2d(in, out, 3, nn::same_size(3)), logs_(Tensor::zeros({out, 1, 1})) {
  register_parameter("logs", logs_);
}

Tensor ScaledConv2d::operator()(const Tensor& x) const {
  return Conv2d::operator()(x) * exp(logs_ * 3.0);
}

}  // namespace mini::models
