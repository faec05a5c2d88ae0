#include "models/upscale/edsr.h"

#include "models/invertible/recognise.h"
#include "models/upscale/recognise.h"
#include "models/upscale/residual.h"
#include "nn/init.h"

namespace mini::models {

std::vector<nn::Field> Edsr::fields(Options& options) {
  return {
      {"scale", &options.scale, "HR side / LR side", {}, {"2", "3", "4"}},
      {"blocks", &options.blocks, "residual blocks; the paper's 32, its baseline's 16",
       nn::between(1, 1000)},
      {"features", &options.features, "channels; the paper's 256, its baseline's 64",
       nn::between(1, 4096)},
      {"residual_scale", &options.residual_scale,
       "factor of what a block adds; the paper's 0.1, its baseline's 1", nn::more_than(0)},
      {"range", &options.range, "value of white inside the network", nn::more_than(0)},
  };
}

std::optional<EdsrOptions> Edsr::recognise(const nn::StateDict& state) {
  if (state.contains("conv_first.weight") && state.contains("body.0.conv1.weight"))
    return recognise(basicsr_keys(count_blocks(state, "body", "conv1.weight")).to_ours(state));
  if (!state.contains("head.0.weight") || !state.contains("body.0.body.0.weight"))
    return std::nullopt;
  Options options{.blocks = count_blocks(state, "body", "body.0.weight"),
                  .features = outputs_of(state, "head.0.weight")};
  options.scale = shuffled_scale(state, "tail.0", 0, options.features);
  // Names and shapes do not tell it: wide networks need it, and all published ones go by width.
  options.residual_scale = options.features > 64 ? 0.1 : 1;
  options.range = range_of(state);
  const auto features = static_cast<double>(options.features);
  check_plausible(state, 18 * features * features * static_cast<double>(options.blocks), network);
  return options;
}

std::vector<std::string> Edsr::untold(const nn::StateDict& state) {
  // sub_mean tells the range.
  if (state.contains("sub_mean.bias")) return {"residual_scale"};
  return {"residual_scale", "range"};
}

Edsr::Edsr(const Options& options, Generator& generator)
    : ResidualUpscaler(options.scale, options.features, options.range, "edsr") {
  check(options.blocks > 0, "edsr: needs at least one block, got ", options.blocks);
  for (std::int64_t i = 0; i < options.blocks; ++i)
    body_.append<ResidualBlock>(options.features, options.residual_scale);
  body_.append<nn::Conv2d>(options.features, options.features, 3, nn::same_size(3));
  nn::initialise_as_pytorch(*this, generator);
}

nn::KeyTable Edsr::basicsr_keys(std::int64_t blocks) {
  std::vector<nn::KeyTable::Row> rows = frame_keys(blocks);
  rows.push_back({"body.#.body.0", "body.#.conv1"});
  rows.push_back({"body.#.body.2", "body.#.conv2"});
  return nn::KeyTable(rows);
}

}  // namespace mini::models
