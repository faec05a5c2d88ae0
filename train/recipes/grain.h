// GRAIN's four stages (models/grain/grain.h), with y from HR x and LR t = bilinear(x):
//
//   L = MSE(y, x) + 0.8·LPIPS(y, x) + 0.1·ID(y, x) + 0.01·adversary(y) [+ 0.1·MSE(lr, t)]
//
//   stage  trains                       y by        adversary             its turn  LR term
//   1      InvRRDB                      decoder     patches, relativistic every 6th yes
//   2      Fea2Code                     StyleGAN2   StyleGAN2's, logistic every 5th
//   3      Fusion                       Fusion      likewise              every 3rd
//   4      InvRRDB, Fea2Code, Fusion    Fusion      likewise              every 3rd yes
//
// From stage 2 on every 16th step has R1 in an update of its own: (γ/2)·16·E‖∇D(x)‖², γ = 10. Where
// InvRRDB learns, noise stands for the rounding of LR. StyleGAN2's generator never learns.
#pragma once

#include <filesystem>
#include <memory>

#include "io/image.h"
#include "models/grain/grain.h"
#include "models/grain/patch_discriminator.h"
#include "models/perceptual/ir_se50.h"
#include "models/perceptual/lpips.h"
#include "models/stylegan2/discriminator.h"
#include "nn/field.h"
#include "train/recipe.h"

namespace mini::train {

class GrainRecipe : public Recipe {
 public:
  enum class Pretrained { files, random };
  struct Options {
    double lambda_perceptual = 0.8, lambda_identity = 0.1, lambda_adversarial = 0.01,
           lambda_lr = 0.1;
    Pretrained pretrained = Pretrained::files;
    // Runs or files of the stages before: together they must hold every module that is not new.
    std::vector<std::filesystem::path> previous;
    std::filesystem::path stylegan2;  // g_ema, latent_avg, d; or a run of ours
    std::filesystem::path ir_se50, alexnet, lpips;
  };
  static constexpr const char* recipe = "grain";
  static std::vector<nn::Field> fields(Options& options);
  static void validate(const Options& /*options*/) {}
  static io::ImageFormat format(const Options& /*options*/) { return io::ImageFormat::png; }

  // Throws for another network, and for missing weights unless they may be random.
  GrainRecipe(const Options& options, std::shared_ptr<models::Rescaler> network,
              Generator& generator);

  nn::Module& modules() override { return all_; }
  models::Rescaler& network() override { return *network_; }
  std::string network_prefix() const override { return "network."; }
  std::vector<Update> updates() const override;
  Losses losses(std::size_t update, const Batch& batch, std::optional<int> variant,
                Generator& generator, Share share) override;
  // The adversary compares the samples of a batch with each other.
  bool divisible() const override { return false; }

 private:
  struct All : nn::Module {
    void add(const std::string& name, nn::Module& part) { register_module(name, part); }
  };
  // x, and what the networks make of it, in [-1,1].
  struct Pass {
    Tensor x, lr, y;
  };

  void load_pretrained();
  bool learns_to_downscale() const;
  Pass run(const Batch& batch, Generator& generator) const;
  Tensor judge(const Tensor& images) const;  // the adversary's logits
  Losses generator_losses(const Pass& pass) const;
  Losses discriminator_losses(const Pass& pass) const;

  Options options_;
  std::shared_ptr<models::Rescaler> network_;
  models::Grain& grain_;
  All all_;
  std::unique_ptr<models::PatchDiscriminator> patches_;            // stage 1
  std::unique_ptr<models::StyleGan2Discriminator> discriminator_;  // the others
  std::unique_ptr<models::Lpips> lpips_;  // where their weights are above 0
  std::unique_ptr<models::IrSe50> identity_;
};

}  // namespace mini::train
