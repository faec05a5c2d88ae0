// StyleGAN2 as a network of its own, to train a prior on any folder of pictures. To the tools it is an
// upscaler whose LR is a single pixel: all of the picture is made up. Names are those of the files of
// the PyTorch port, g_ema and latent_avg, so GRAIN reads either.
#pragma once

#include <optional>
#include <vector>

#include "models/rescaler.h"
#include "models/stylegan2/generator.h"
#include "nn/field.h"

namespace mini::models {

class StyleGan2 : public Rescaler {
 public:
  struct Options {
    std::int64_t scale = 1024;  // the side of the pictures
    std::int64_t style = 512, mapping_layers = 8, channel_multiplier = 2, max_channels = 512;

    StyleGan2Options sizes() const {
      return {scale, style, mapping_layers, channel_multiplier, max_channels};
    }
  };
  static constexpr const char *network = "stylegan2", *recipe = "stylegan2";
  static std::vector<nn::Field> fields(Options& options);
  static std::optional<Options> recognise(const nn::StateDict& state);

  StyleGan2(const Options& options, Generator& generator);

  std::string name() const override { return network; }
  std::int64_t scale() const override { return options_.scale; }
  // For each pixel [N,3,1,1] a picture in [0,1], whatever the colour. It is drawn from `generator`;
  // with null it is the same every time.
  Tensor upscale(const Tensor& lr, Generator* generator = nullptr,
                 int quality = lossless) const override;

  // The codes of all layers, [N,codes,style], of z [N,style] from N(0, 1), or of two such, of which the
  // layers from `crossover` on have the second (style mixing).
  Tensor codes(const Tensor& z) const;
  Tensor codes(const Tensor& z, const Tensor& other, std::int64_t crossover) const;
  // Moves the mean code, a buffer, towards the mean of these.
  void track_mean(const Tensor& codes) const;

  const Options& options() const { return options_; }
  StyleGan2Generator synthesis;

 private:
  Options options_;
  Tensor latent_avg_;  // [style]
};

}  // namespace mini::models
