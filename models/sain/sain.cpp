#include "models/sain/sain.h"

#include "autograd/functions.h"
#include "models/invertible/recognise.h"

namespace mini::models {
namespace {

constexpr std::int64_t mixture_components = 5;

// The paper's numbers in place of zeros.
SainOptions completed(SainOptions options) {
  check(options.scale == 2 || options.scale == 4, "sain: scale must be 2 or 4, got ",
        options.scale);
  if (options.enhanced_blocks == 0) options.enhanced_blocks = options.scale == 2 ? 5 : 10;
  if (options.vanilla_blocks == 0) options.vanilla_blocks = options.scale == 2 ? 3 : 6;
  return options;
}

}  // namespace

std::vector<nn::Field> Sain::fields(Options& options) {
  return {
      {"scale", &options.scale, "HR side / LR side", {}, {"2", "4"}},
      {"enhanced_blocks", &options.enhanced_blocks,
       "enhanced blocks; 0: the paper's 5 (x2) or 10 (x4)", nn::between(0, 100)},
      {"vanilla_blocks", &options.vanilla_blocks,
       "vanilla blocks after them; 0: the paper's 3 (x2) or 6 (x4)", nn::between(0, 100)},
      {"growth", &options.growth, "channels that each convolution of a dense block adds",
       nn::between(1, 1024)},
      {"condition",
       nn::choice(&options.condition),
       "what the subnets that decode are told: quality, that of the codec, which is read off the "
       "file",
       {},
       {"none", "quality"}},
  };
}

std::optional<SainOptions> Sain::recognise(const nn::StateDict& state) {
  if (!state.contains("gmm.gmm_para")) return std::nullopt;
  Options options{.enhanced_blocks = count_blocks(state, "down_operations", "F.conv1.weight"),
                  .vanilla_blocks = count_blocks(state, "comp_operations", "F.conv1.weight"),
                  .growth = growth_of(state, "down_operations.0.F.conv1.weight")};
  if (const auto g = state.find("comp_operations.0.G.conv1.weight");
      g != state.end() && g->second.rank() == 4 && g->second.size(1) == image_channels + 1)
    options.condition = Condition::quality;
  check(options.enhanced_blocks >= 1 && options.vanilla_blocks >= 1,
        "model: the weights have no blocks");
  options.scale =
      plausible_scale(state, count_blocks(state, "haar_operations", "haar_weights"),
                      4 * options.enhanced_blocks + 3 * options.vanilla_blocks, options.growth);
  return options;
}

Sain::Sain(const Options& given, Generator& generator)
    : scale_(given.scale), condition_(given.condition), gmm_(mixture_components, generator) {
  const Options options = completed(given);
  std::int64_t channels = image_channels;
  const auto append = [this](auto& list, const char* name, auto block) {
    register_module(concat_text(name, '.', list.size()), *block);
    list.push_back(std::move(block));
  };
  for (std::int64_t side = scale_; side > 1; side /= 2, channels *= 4)
    append(haar_operations_, "haar_operations", std::make_unique<HaarDownsampling>(channels));
  for (std::int64_t i = 1; i <= options.enhanced_blocks; ++i)
    append(down_operations_, "down_operations",
           std::make_unique<EnhancedInvBlock>(
               channels, image_channels, options.growth, generator,
               i == options.enhanced_blocks ? options.condition : Condition::none));
  for (std::int64_t i = 0; i < options.vanilla_blocks; ++i)
    append(comp_operations_, "comp_operations",
           std::make_unique<VanillaInvBlock>(channels, image_channels, options.growth, generator,
                                             options.condition));
  register_module("gmm", gmm_);
}

Flow Sain::flow(const Tensor& condition) const {
  Flow::Level level{.haar = static_cast<int>(haar_operations_.size())};
  std::size_t last_enhanced = 0;
  for (const auto& block : down_operations_) {
    last_enhanced = level.chain.size();
    level.append(*block, condition);
  }
  for (const auto& block : comp_operations_) level.append(*block, condition);
  return {.levels = {level},
          .lr = {last_enhanced + EnhancedInvBlock::lr.layers, EnhancedInvBlock::lr.half}};
}

Tensor Sain::sample_latent(const Shape& shape, Generator& generator,
                           std::optional<ops::DrawPart> part) const {
  return gmm_.sample(shape, generator, part);
}

nn::StateDict Sain::translate(const nn::StateDict& state) const {
  nn::StateDict result = state;
  for (const auto& [name, own] : state_dict()) {
    const auto found = result.find(name);
    if (found == result.end() || own.rank() != 4 || found->second.rank() != 4) continue;
    Tensor& weight = found->second;
    if (weight.size(1) + 1 == own.size(1))
      weight = concat(
          {Tensor::zeros({weight.size(0), 1, weight.size(2), weight.size(3)}, weight.dtype()),
           weight},
          1);
  }
  return result;
}

}  // namespace mini::models
