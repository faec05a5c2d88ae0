#include "models/upscale/rrdb_net.h"

#include "autograd/functions.h"
#include "nn/init.h"

namespace mini::models {
namespace {

constexpr double slope = 0.2;

std::int64_t unshuffle_of(std::int64_t scale) {
  check(scale == 1 || scale == 2 || scale == 4, "rrdb: scale must be 1, 2 or 4, got ", scale);
  return 4 / scale;
}

}  // namespace

RrdbNet::RrdbNet(const RrdbOptions& options, Generator& generator)
    : unshuffle_(unshuffle_of(options.scale)),
      first_(3 * unshuffle_ * unshuffle_, options.features, 3, nn::same_size(3)),
      conv_body_(options.features, options.features, 3, nn::same_size(3)),
      up1_(options.features, options.features, 3, nn::same_size(3)),
      up2_(options.features, options.features, 3, nn::same_size(3)),
      hr_(options.features, options.features, 3, nn::same_size(3)),
      last_(options.features, 3, 3, nn::same_size(3)) {
  check(options.blocks > 0 && options.features > 0 && options.growth > 0,
        "rrdb: blocks, features and growth must be above 0");
  for (std::int64_t i = 0; i < options.blocks; ++i)
    body_.append<Rrdb>(options.features, options.growth, generator);
  register_module("conv_first", first_);
  register_module("body", body_);
  register_module("conv_body", conv_body_);
  register_module("conv_up1", up1_);
  register_module("conv_up2", up2_);
  register_module("conv_hr", hr_);
  register_module("conv_last", last_);
  for (nn::Conv2d* conv : {&first_, &conv_body_, &up1_, &up2_, &hr_, &last_})
    nn::initialise_as_pytorch(*conv, generator);
}

Tensor RrdbNet::operator()(const Tensor& x) const {
  const Tensor shallow = first_(unshuffle_ == 1 ? x : pixel_unshuffle(x, unshuffle_));
  Tensor y = shallow + conv_body_(body_(shallow));
  for (const nn::Conv2d* up : {&up1_, &up2_}) y = leaky_relu((*up)(upsample_nearest(y, 2)), slope);
  return last_(leaky_relu(hr_(y), slope));
}

nn::KeyTable RrdbNet::esrgan_keys() const {
  return nn::KeyTable({{"body.#.rdb#", "RRDB_trunk.#.RDB#"},
                       {"conv_body", "trunk_conv"},
                       {"conv_up#", "upconv#"},
                       {"conv_hr", "HRconv"}});
}

nn::KeyTable RrdbNet::oldest_keys() const {
  return nn::KeyTable({{"conv_first", "model.0"},
                       {"body.#.rdb#.conv#", "model.1.sub.#.RDB#.conv#.0"},
                       {"conv_body", concat_text("model.1.sub.", body_.size())},
                       {"conv_up1", "model.3"},
                       {"conv_up2", "model.6"},
                       {"conv_hr", "model.8"},
                       {"conv_last", "model.10"}});
}

nn::StateDict RrdbNet::translate(const nn::StateDict& state) const {
  if (state.contains("model.0.weight")) return oldest_keys().to_ours(state);
  if (state.contains("trunk_conv.weight")) return esrgan_keys().to_ours(state);
  return state;
}

}  // namespace mini::models
