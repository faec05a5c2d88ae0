#include "models/irn/irn.h"

#include "models/invertible/recognise.h"

namespace mini::models {

std::vector<nn::Field> Irn::fields(Options& options) {
  return {
      {"scale", &options.scale, "HR side / LR side", {}, {"2", "4"}},
      {"vanilla_blocks", &options.vanilla_blocks, "blocks at each level; 0: the paper's 8",
       nn::between(0, 100)},
      {"growth", &options.growth, "channels that each convolution of a dense block adds",
       nn::between(1, 1024)},
  };
}

std::optional<IrnOptions> Irn::recognise(const nn::StateDict& state) {
  if (!state.contains("operations.0.haar_weights")) return std::nullopt;
  std::int64_t levels = 0, operations = 0;
  while (true) {
    const std::string name = concat_text("operations.", operations);
    if (state.contains(name + ".haar_weights"))
      ++levels;
    else if (!state.contains(name + ".F.conv1.weight"))
      break;
    ++operations;
  }
  check((operations - levels) % levels == 0, "model: the weights have ", operations - levels,
        " blocks, which ", levels, " levels cannot share");
  Options options{.vanilla_blocks = (operations - levels) / levels,
                  .growth = growth_of(state, "operations.1.F.conv1.weight")};
  options.scale = plausible_scale(state, levels, 3 * (operations - levels), options.growth);
  return options;
}

Irn::Irn(const Options& options, Generator& generator) : scale_(options.scale) {
  check(scale_ == 2 || scale_ == 4, "irn: scale must be 2 or 4, got ", scale_);
  const std::int64_t blocks = options.vanilla_blocks == 0 ? 8 : options.vanilla_blocks;
  std::int64_t channels = image_channels;
  int operation = 0;
  const auto next_name = [&operation] { return concat_text("operations.", operation++); };
  for (std::int64_t side = scale_; side > 1; side /= 2) {
    Level level{std::make_unique<HaarDownsampling>(channels), {}};
    register_module(next_name(), *level.haar);
    channels *= 4;
    for (std::int64_t i = 0; i < blocks; ++i) {
      level.blocks.push_back(
          std::make_unique<VanillaInvBlock>(channels, image_channels, options.growth, generator));
      register_module(next_name(), *level.blocks.back());
    }
    levels_.push_back(std::move(level));
  }
}

Flow Irn::flow(const Tensor& /*condition*/) const {
  Flow flow;
  for (const Level& level : levels_) {
    flow.levels.push_back({.haar = 1});
    for (const auto& block : level.blocks) flow.levels.back().append(*block);
  }
  flow.lr = {flow.levels.back().chain.size(), 0};
  return flow;
}

Tensor Irn::sample_latent(const Shape& shape, Generator& generator,
                          std::optional<ops::DrawPart> part) const {
  const Tensor any = parameters().front();
  return ops::normal(generator, shape, any.dtype(), part, any.device());
}

}  // namespace mini::models
