#include "models/upscale/residual_upscaler.h"

#include "autograd/functions.h"
#include "models/upscale/upsampler.h"

namespace mini::models {

ResidualUpscaler::ResidualUpscaler(std::int64_t scale, std::int64_t features, double range,
                                   const char* network)
    : Upscaler(scale), range_(range), sub_mean_(-range), add_mean_(range) {
  check(features > 0 && range > 0, network, ": features and range must be above 0, got ", features,
        " and ", range);
  register_module("sub_mean", sub_mean_);
  register_module("head", head_);
  register_module("body", body_);
  register_module("tail", tail_);
  register_module("add_mean", add_mean_);
  head_.append<nn::Conv2d>(3, features, 3, nn::same_size(3));
  tail_.append<Upsampler>(scale, features, network);
  tail_.append<nn::Conv2d>(features, 3, 3, nn::same_size(3));
}

Tensor ResidualUpscaler::operator()(const Tensor& lr) const {
  const Tensor features = head_(sub_mean_(lr * range_));
  return add_mean_(tail_(body_(features) + features)) / range_;
}

nn::RowLayers ResidualUpscaler::rows(const Shape& lr, DType dtype) const {
  nn::RowChain chain(lr, dtype);
  chain.add_pixelwise(3, [this](const Tensor& x) { return sub_mean_(x * range_); });
  chain.add(head_.rows(chain.shape(), dtype));
  chain.add(nn::skip_rows(chain.shape(), body_.rows(chain.shape(), dtype), chain.shape()[1],
                          [](const Tensor& x, const Tensor& y) { return y + x; }));
  chain.add(tail_.rows(chain.shape(), dtype));
  chain.add_pixelwise(3, [this](const Tensor& x) { return add_mean_(x) / range_; });
  return chain.take();
}

std::vector<nn::KeyTable::Row> ResidualUpscaler::frame_keys(std::int64_t blocks) {
  return {{"head.0", "conv_first"},
          {concat_text("body.", blocks), "conv_after_body"},
          {"tail.0.#", "upsample.#"},
          {"tail.1", "conv_last"}};
}

double ResidualUpscaler::range_of(const nn::StateDict& state) {
  const auto bias = state.find("sub_mean.bias");
  if (bias == state.end() || bias->second.numel() != 3) return 255;
  double sum = 0;
  for (const double value : bias->second.to_vector()) sum -= value;
  // Published networks work in [0,1] or in [0,255]; RCAN's trained means are near those.
  return sum > 0 && sum < 20 ? 1 : 255;
}

nn::StateDict ResidualUpscaler::translate(const nn::StateDict& state) const {
  nn::StateDict result =
      state.contains("conv_first.weight") ? own_basicsr_keys().to_ours(state) : state;
  for (const auto& [name, tensor] : named_buffers()) result.emplace(name, tensor);
  return result;
}

}  // namespace mini::models
