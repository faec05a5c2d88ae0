// StyleGAN2 (T. Karras et al., CVPR 2020): a generator G and a discriminator D that learn from each
// other on any folder of pictures.
//
//   generator       every step   mean softplus(-D(G(w)))
//   discriminator   every step   mean softplus(D(G(w))) + mean softplus(-D(x))
//   r1              every 16th   (γ/2)·16·E‖∇_x D(x)‖²
//   path            every 4th    2·4·E(‖∇_w (G(w)·y)‖ - a)²,  y noise, a the moving mean of that norm
//
// R1 and the path length are second derivatives, in updates of their own. The last keeps a step in w as
// large a step in the picture everywhere. With style mixing some samples change their z at a layer.
#pragma once

#include <memory>

#include "io/image.h"
#include "models/stylegan2/discriminator.h"
#include "models/stylegan2/stylegan2.h"
#include "nn/field.h"
#include "train/recipe.h"

namespace mini::train {

class StyleGan2Recipe : public Recipe {
 public:
  struct Options {
    double r1_gamma = 10;
    double path_weight = 2;
    double mixing = 0.9;  // probability of style mixing
  };
  static constexpr const char* recipe = "stylegan2";
  static std::vector<nn::Field> fields(Options& options);
  static void validate(const Options& /*options*/) {}
  static io::ImageFormat format(const Options& /*options*/) { return io::ImageFormat::png; }

  StyleGan2Recipe(const Options& options, std::shared_ptr<models::Rescaler> network,
                  Generator& generator);

  nn::Module& modules() override { return all_; }
  models::Rescaler& network() override { return *network_; }
  std::string network_prefix() const override { return "network."; }
  std::vector<Update> updates() const override;
  // The layer at which the z of this update's samples changes; as many as there are: nowhere.
  std::optional<int> variant(std::size_t update, Generator& generator) const override;
  Losses losses(std::size_t update, const Batch& batch, std::optional<int> variant,
                Generator& generator, Share share) override;
  bool divisible() const override { return false; }  // D compares the samples of a batch

 private:
  enum Place : std::size_t { generator_update, discriminator_update, r1_update, path_update };
  struct All : nn::Module {
    explicit All(nn::Module& network) { register_module("network", network); }
    void add(nn::Module& discriminator);
    Tensor path_length = Tensor::zeros({});  // a buffer: the moving mean
  };

  // The codes of as many samples as the batch has, with the crossover.
  Tensor draw_codes(const Batch& batch, int crossover, Generator& generator) const;
  Losses path_losses(const Batch& batch, int crossover, Generator& generator);

  Options options_;
  std::shared_ptr<models::Rescaler> network_;
  models::StyleGan2& stylegan2_;
  All all_;
  models::StyleGan2Discriminator discriminator_;
};

}  // namespace mini::train
