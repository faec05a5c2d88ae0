#include "models/upscale/rrdb_net.h"

#include "autograd/functions.h"
#include "models/invertible/recognise.h"
#include "models/upscale/recognise.h"
#include "nn/init.h"

namespace mini::models {
namespace {

constexpr double slope = 0.2;

std::int64_t unshuffle_of(std::int64_t scale) {
  check(scale == 1 || scale == 2 || scale == 4, "rrdb: scale must be 1, 2 or 4, got ", scale);
  return 4 / scale;
}

// A state dict in any of the three spellings in ours.
nn::StateDict by_our_names(const nn::StateDict& state) {
  if (state.contains("RRDB_trunk.0.RDB1.conv1.weight"))
    return RrdbNet::esrgan_keys().to_ours(state);
  if (state.contains("model.1.sub.0.RDB1.conv1.0.weight"))
    return RrdbNet::oldest_keys(count_blocks(state, "model.1.sub", "RDB1.conv1.0.weight"))
        .to_ours(state);
  return state;
}

}  // namespace

std::vector<nn::Field> RrdbNet::fields(Options& options) {
  return {
      {"scale", &options.scale, "HR side / LR side", {}, {"1", "2", "4"}},
      {"blocks", &options.blocks, "RRDBs", nn::between(1, 1000)},
      {"features", &options.features, "channels", nn::between(1, 4096)},
      {"growth", &options.growth, "channels that each convolution of a dense block adds",
       nn::between(1, 4096)},
  };
}

std::optional<RrdbOptions> RrdbNet::recognise(const nn::StateDict& given) {
  const nn::StateDict state = by_our_names(given);
  const auto first = state.find("conv_first.weight");
  if (first == state.end() || !state.contains("body.0.rdb1.conv1.weight")) return std::nullopt;
  Options options{.blocks = count_blocks(state, "body", "rdb1.conv1.weight"),
                  .features = outputs_of(state, "conv_first.weight"),
                  .growth = outputs_of(state, "body.0.rdb1.conv1.weight")};
  const std::int64_t channels = first->second.size(1);
  check(channels == 3 || channels == 12 || channels == 48, "model: conv_first reads ", channels,
        " channels; 3 (x4), 12 (x2) and 48 (x1) are known");
  options.scale = channels == 3 ? 4 : channels == 12 ? 2 : 1;
  const auto blocks = static_cast<double>(options.blocks);
  const auto growth = static_cast<double>(options.growth);
  const auto features = static_cast<double>(options.features);
  // Three dense blocks of 5 convolutions each.
  check_plausible(state, 3 * 9 * blocks * growth * (5 * features + 6 * growth), network);
  return options;
}

RrdbNet::RrdbNet(const Options& options, Generator& generator)
    : Upscaler(options.scale),
      unshuffle_(unshuffle_of(options.scale)),
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

nn::RowLayers RrdbNet::rows(const Shape& lr, DType dtype) const {
  nn::RowChain chain(lr, dtype);
  if (unshuffle_ > 1) {
    if (lr[2] % unshuffle_ != 0 || lr[3] % unshuffle_ != 0) return nullptr;
    chain.add(std::make_unique<nn::WindowRows>(
        lr, dtype,
        Shape{lr[0], lr[1] * unshuffle_ * unshuffle_, lr[2] / unshuffle_, lr[3] / unshuffle_},
        nn::RowFunction{
            .function = [this](const Tensor& x) { return pixel_unshuffle(x, unshuffle_); },
            .grid = unshuffle_,
            .shrink = unshuffle_}));
  }
  chain.add(first_.rows(chain.shape(), dtype));
  nn::RowChain inner(chain.shape(), dtype);
  inner.add(body_.rows(inner.shape(), dtype)).add(conv_body_.rows(inner.shape(), dtype));
  chain.add(nn::skip_rows(chain.shape(), inner.take(), chain.shape()[1],
                          [](const Tensor& x, const Tensor& y) { return x + y; }));
  const auto activate = [](const Tensor& x) { return leaky_relu(x, slope); };
  for (const nn::Conv2d* up : {&up1_, &up2_}) {
    const Shape small = chain.shape();
    chain.add(std::make_unique<nn::WindowRows>(
        small, dtype, Shape{small[0], small[1], 2 * small[2], 2 * small[3]},
        nn::RowFunction{.function = [](const Tensor& x) { return upsample_nearest(x, 2); },
                        .enlarge = 2}));
    chain.add(up->rows(chain.shape(), dtype)).add_pixelwise(small[1], activate);
  }
  chain.add(hr_.rows(chain.shape(), dtype)).add_pixelwise(chain.shape()[1], activate);
  return chain.add(last_.rows(chain.shape(), dtype)).take();
}

Tensor RrdbNet::operator()(const Tensor& lr) const {
  const auto missing = [&](int dim) {
    return (unshuffle_ - lr.size(dim) % unshuffle_) % unshuffle_;
  };
  if (const Padding2d padding{.right = missing(3), .bottom = missing(2)};
      padding.right + padding.bottom > 0) {
    const Tensor large = (*this)(pad2d(lr, padding, PadMode::replicate));
    return narrow(narrow(large, 2, 0, scale() * lr.size(2)), 3, 0, scale() * lr.size(3));
  }
  const Tensor shallow = first_(unshuffle_ == 1 ? lr : pixel_unshuffle(lr, unshuffle_));
  Tensor y = shallow + conv_body_(body_(shallow));
  for (const nn::Conv2d* up : {&up1_, &up2_}) y = leaky_relu((*up)(upsample_nearest(y, 2)), slope);
  return last_(leaky_relu(hr_(y), slope));
}

nn::KeyTable RrdbNet::esrgan_keys() {
  return nn::KeyTable({{"body.#.rdb#", "RRDB_trunk.#.RDB#"},
                       {"conv_body", "trunk_conv"},
                       {"conv_up#", "upconv#"},
                       {"conv_hr", "HRconv"}});
}

nn::KeyTable RrdbNet::oldest_keys(std::int64_t blocks) {
  return nn::KeyTable({{"conv_first", "model.0"},
                       {"body.#.rdb#.conv#", "model.1.sub.#.RDB#.conv#.0"},
                       {"conv_body", concat_text("model.1.sub.", blocks)},
                       {"conv_up1", "model.3"},
                       {"conv_up2", "model.6"},
                       {"conv_hr", "model.8"},
                       {"conv_last", "model.10"}});
}

nn::StateDict RrdbNet::translate(const nn::StateDict& state) const { return by_our_names(state); }

}  // namespace mini::models
