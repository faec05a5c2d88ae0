// An ordinary upscaler: the distance of upscale(LR) from HR, a mean over all values, LR being HR
// made small by bicubic interpolation and rounded to 8 bits. No codec.
#pragma once

#include "io/image.h"
#include "nn/field.h"
#include "train/recipe.h"

namespace mini::train {

class UpscalingRecipe : public OneNetworkRecipe {
 public:
  enum class Distance { l1, charbonnier, l2 };
  struct Options {
    Distance distance = Distance::l1;
  };
  static constexpr const char* recipe = "upscaling";
  static std::vector<nn::Field> fields(Options& options);
  static void validate(const Options& /*options*/) {}
  static io::ImageFormat format(const Options& /*options*/) { return io::ImageFormat::png; }

  UpscalingRecipe(const Options& options, std::shared_ptr<models::Rescaler> network,
                  Generator& generator);

  Losses losses(std::size_t update, const Batch& batch, std::optional<int> variant,
                Generator& generator, Share share) override;

 private:
  Options options_;
};

}  // namespace mini::train
