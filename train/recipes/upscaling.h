// An ordinary upscaler: the distance of upscale(LR) from HR, a mean over all values, LR being HR
// made small by bicubic interpolation and rounded to 8 bits. With a codec, the network learns from
// what that makes of LR, and so learns to undo it.
#pragma once

#include "nn/field.h"
#include "train/recipe.h"
#include "train/recipes/block_memory.h"
#include "train/recipes/codec.h"

namespace mini::train {

class UpscalingRecipe : public OneNetworkRecipe {
 public:
  enum class Distance { l1, charbonnier, l2 };
  struct Options {
    Distance distance = Distance::l1;
    Codec codec{};
    BlockMemory memory = BlockMemory::stored;
  };
  static constexpr const char* recipe = "upscaling";
  static std::vector<nn::Field> fields(Options& options);
  static void validate(const Options& options) { train::validate(options.codec); }
  static io::ImageFormat format(const Options& options) {
    return options.codec.format.value_or(io::ImageFormat::png);
  }

  UpscalingRecipe(const Options& options, std::shared_ptr<models::Rescaler> network,
                  Generator& generator);

  // Draws the codec's quality for a step.
  std::optional<int> variant(std::size_t update, Generator& generator) const override;
  Losses losses(std::size_t update, const Batch& batch, std::optional<int> variant,
                Generator& generator, Share share) override;

 private:
  Options options_;
};

}  // namespace mini::train
