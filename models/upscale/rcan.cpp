#include "models/upscale/rcan.h"

#include "models/invertible/recognise.h"
#include "models/upscale/channel_attention.h"
#include "models/upscale/recognise.h"
#include "models/upscale/residual.h"
#include "nn/init.h"

namespace mini::models {
namespace {

// RCAB: the residual block of EDSR with channel attention behind it.
class AttentionBlock : public ResidualBlock {
 public:
  AttentionBlock(std::int64_t features, std::int64_t reduction) : ResidualBlock(features, 1) {
    body.append<ChannelAttention>(features, reduction);
  }
};

class ResidualGroup : public Residual {
 public:
  ResidualGroup(std::int64_t blocks, std::int64_t features, std::int64_t reduction) {
    for (std::int64_t b = 0; b < blocks; ++b) body.append<AttentionBlock>(features, reduction);
    body.append<nn::Conv2d>(features, features, 3, nn::same_size(3));
  }
};

}  // namespace

std::vector<nn::Field> Rcan::fields(Options& options) {
  return {
      {"scale", &options.scale, "HR side / LR side", {}, {"2", "3", "4"}},
      {"groups", &options.groups, "residual groups", nn::between(1, 1000)},
      {"blocks", &options.blocks, "blocks in each group", nn::between(1, 1000)},
      {"features", &options.features, "channels", nn::between(1, 4096)},
      {"reduction", &options.reduction, "channels per hidden channel of the attention",
       nn::between(1, 4096)},
      {"range", &options.range, "value of white inside the network", nn::more_than(0)},
  };
}

std::optional<RcanOptions> Rcan::recognise(const nn::StateDict& state) {
  if (state.contains("body.0.residual_group.0.rcab.0.weight"))
    return recognise(basicsr_keys(count_blocks(state, "body", "conv.weight"),
                                  count_blocks(state, "body.0.residual_group", "rcab.0.weight"))
                         .to_ours(state));
  const std::string attention = "body.0.body.0.body.3.conv_du.0.weight";
  if (!state.contains("head.0.weight") || !state.contains(attention)) return std::nullopt;
  Options options{.groups = count_blocks(state, "body", "body.0.body.0.weight"),
                  .blocks = count_blocks(state, "body.0.body", "body.0.weight"),
                  .features = outputs_of(state, "head.0.weight")};
  options.scale = shuffled_scale(state, "tail.0", 0, options.features);
  options.reduction = options.features / outputs_of(state, attention);
  options.range = range_of(state);
  const auto features = static_cast<double>(options.features);
  check_plausible(state,
                  18 * features * features * static_cast<double>(options.groups * options.blocks),
                  network);
  return options;
}

std::vector<std::string> Rcan::untold(const nn::StateDict& state) {
  if (state.contains("sub_mean.bias")) return {};
  return {"range"};
}

Rcan::Rcan(const Options& options, Generator& generator)
    : ResidualUpscaler(options.scale, options.features, options.range, "rcan"),
      blocks_(options.blocks) {
  check(options.groups > 0 && options.blocks > 0, "rcan: needs at least one group and block, got ",
        options.groups, " and ", options.blocks);
  check(options.reduction > 0 && options.features >= options.reduction, "rcan: ", options.features,
        " features cannot be reduced by ", options.reduction);
  for (std::int64_t g = 0; g < options.groups; ++g)
    body_.append<ResidualGroup>(options.blocks, options.features, options.reduction);
  body_.append<nn::Conv2d>(options.features, options.features, 3, nn::same_size(3));
  nn::initialise_as_pytorch(*this, generator);
}

nn::KeyTable Rcan::basicsr_keys(std::int64_t groups, std::int64_t blocks) {
  std::vector<nn::KeyTable::Row> rows = frame_keys(groups);
  rows.push_back({concat_text("body.#.body.", blocks), "body.#.conv"});
  rows.push_back({"body.#.body.#.body.3.conv_du.0", "body.#.residual_group.#.rcab.3.attention.1"});
  rows.push_back({"body.#.body.#.body.3.conv_du.2", "body.#.residual_group.#.rcab.3.attention.3"});
  rows.push_back({"body.#.body.#.body.#", "body.#.residual_group.#.rcab.#"});
  return nn::KeyTable(rows);
}

}  // namespace mini::models
