// GRAIN (Z. Zhong et al., "Faithful extreme rescaling via generative prior reciprocated invertible
// representations", CVPR 2022): makes pictures of faces 64 times smaller and large again. What 16×16
// pixels cannot hold, a StyleGAN2 trained on faces knows.
//
//   HR ─ InvRRDB's encoder ─ LR
//   LR ─ InvRRDB's decoder ─ features ─┬─ Fea2Code ─ codes ─ StyleGAN2 ─ features ─┐
//                                      └───────────────────────────────────────── Fusion ─ HR
//
// It is trained in four stages, of which the first needs InvRRDB alone and the second no Fusion; a
// network of such a stage gives the picture that this stage trains.
#pragma once

#include <memory>
#include <optional>

#include "models/grain/fea2code.h"
#include "models/grain/fusion.h"
#include "models/grain/inv_rrdb.h"
#include "models/rescaler.h"
#include "models/stylegan2/generator.h"
#include "nn/field.h"
#include "nn/key_table.h"

namespace mini::models {

class Grain : public Rescaler {
 public:
  using Options = GrainOptions;
  static constexpr const char *network = "grain", *recipe = "grain";
  static std::vector<nn::Field> fields(Options& options);
  static std::optional<Options> recognise(const nn::StateDict& state);

  Grain(const Options& options, Generator& generator);

  std::string name() const override { return network; }
  std::int64_t scale() const override { return options_.scale; }
  // HR [N,3,size,size] in [0,1].
  Tensor downscale(const Tensor& hr) const override;
  // StyleGAN2's noise comes from `generator`; with null it is the stored one.
  Tensor upscale(const Tensor& lr, Generator* generator = nullptr,
                 int quality = lossless) const override;

  // What the modules make of an LR in [-1,1]; undefined where there is no such module.
  struct Pictures {
    Tensor decoded, prior, fused;  // by InvRRDB, StyleGAN2 and Fusion; in [-1,1]
    const Tensor& best() const {
      return fused.defined() ? fused : prior.defined() ? prior : decoded;
    }
  };
  Pictures decode(const Tensor& lr, Generator* generator = nullptr) const;

  // From the names of the official files: a stage's own (state_dict), those of stage 4 (state_dict1 to
  // 3), and StyleGAN2's (g_ema).
  static nn::KeyTable official_keys();
  nn::StateDict translate(const nn::StateDict& state) const override {
    return official_keys().to_ours(state);
  }

  // What Fea2Code's codes are relative to: [512], or the same [codes,512] times.
  void set_mean_code(const Tensor& code);

  const Options& options() const { return options_; }
  InvRrdb rescaler;
  std::unique_ptr<Fea2Code> fea2code;             // from stage 2
  std::unique_ptr<StyleGan2Generator> stylegan2;  // likewise
  std::unique_ptr<Fusion> fusion;                 // from stage 3

 private:
  Options options_;
  Tensor latent_avg_;  // [512]
};

}  // namespace mini::models
