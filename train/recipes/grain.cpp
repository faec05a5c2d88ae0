#include "train/recipes/grain.h"

#include <array>

#include "autograd/functions.h"
#include "infer/weights.h"
#include "io/tensor_file.h"
#include "tensor/view.h"
#include "train/recipes/adversarial.h"

namespace mini::train {
namespace {
namespace fs = std::filesystem;

constexpr std::int64_t patch_side = 256;  // that the patch discriminator sees
constexpr std::array<std::int64_t, 4> discriminator_turns{6, 5, 3, 3};  // by stage
constexpr std::int64_t r1_every = 16;
constexpr double r1_gamma = 10;

models::Grain& as_grain(models::Rescaler& network) {
  auto* const grain = dynamic_cast<models::Grain*>(&network);
  check(grain != nullptr, "recipe: ", network.name(), " is not GRAIN, which this recipe trains");
  return *grain;
}

void append(std::vector<nn::NamedTensor>& all, const nn::Module& module,
            const std::string& prefix) {
  for (nn::NamedTensor& named : module.named_parameters())
    all.push_back({prefix + named.name, named.tensor});
}

}  // namespace

std::vector<nn::Field> GrainRecipe::fields(Options& options) {
  const nn::Range weight = nn::at_least(0);
  return {
      {"loss.lambda_perceptual", &options.lambda_perceptual, "weight of LPIPS", weight},
      {"loss.lambda_identity", &options.lambda_identity, "weight of the face's identity", weight},
      {"loss.lambda_adversarial", &options.lambda_adversarial, "weight of the adversary", weight},
      {"loss.lambda_lr", &options.lambda_lr, "weight of LR's distance from bilinear, stages 1, 4",
       weight},
      {"pretrained",
       nn::choice(&options.pretrained),
       "files: a file that the stage needs and that is not named below is an error; random: it "
       "starts from random weights",
       {},
       {"files", "random"}},
      {"weights.previous", &options.previous, "runs or files of the stages before"},
      {"weights.stylegan2", &options.stylegan2,
       "StyleGAN2 of faces: g_ema, latent_avg and d, or a run of the recipe stylegan2"},
      {"weights.ir_se50", &options.ir_se50,
       "the face recognition network; none: lambda_identity 0"},
      {"weights.alexnet", &options.alexnet, "torchvision's AlexNet, for LPIPS"},
      {"weights.lpips", &options.lpips, "LPIPS's own weights, lin0 to lin4"},
  };
}

GrainRecipe::GrainRecipe(const Options& options, std::shared_ptr<models::Rescaler> network,
                         Generator& generator)
    : options_(options), network_(std::move(network)), grain_(as_grain(*network_)) {
  all_.add("network", *network_);
  if (grain_.options().stage == 1) {
    patches_ = std::make_unique<models::PatchDiscriminator>(generator, grain_.options().features);
    all_.add("discriminator", *patches_);
  } else {
    discriminator_ =
        std::make_unique<models::StyleGan2Discriminator>(grain_.options().stylegan2(), generator);
    all_.add("discriminator", *discriminator_);
  }
  if (options.lambda_perceptual > 0) {
    lpips_ = std::make_unique<models::Lpips>(generator);
    lpips_->set_requires_grad(false);
    all_.add("lpips", *lpips_);
  }
  if (options.lambda_identity > 0) {
    identity_ = std::make_unique<models::IrSe50>(generator);
    identity_->set_requires_grad(false);
    all_.add("ir_se50", *identity_);
  }
  load_pretrained();
  if (grain_.stylegan2) grain_.stylegan2->set_requires_grad(false);
}

// Loads what is named; what the stage needs and is not named is an error unless it may be random.
void GrainRecipe::load_pretrained() {
  const std::int64_t stage = grain_.options().stage;
  const auto is_there = [&](const auto& path, const char* key, const char* what) {
    check(!path.empty() || options_.pretrained == Pretrained::random, "grain: stage ", stage,
          " needs ", what, "; name the file (--set ", key,
          "=FILE), or start from random weights (--set pretrained=random)");
    return !path.empty();
  };
  if (lpips_ && is_there(options_.alexnet, "weights.alexnet", "AlexNet's weights for LPIPS") &&
      is_there(options_.lpips, "weights.lpips", "LPIPS's own weights")) {
    nn::StateDict state = infer::read_weights(options_.lpips);
    for (const auto& [name, tensor] : infer::read_weights(options_.alexnet))
      if (name.starts_with("features.")) state[name] = tensor;
    infer::load_weights(*lpips_, state, options_.alexnet);
  }
  if (identity_ && is_there(options_.ir_se50, "weights.ir_se50", "IR-SE50's weights"))
    infer::load_weights(*identity_, options_.ir_se50);
  if (stage == 1) return;
  if (is_there(options_.stylegan2, "weights.stylegan2", "a StyleGAN2 of faces")) {
    const fs::path path = infer::find_checkpoint(options_.stylegan2);
    const nn::StateDict state = infer::read_weights(path);
    infer::load_weights(*grain_.stylegan2, infer::below(state, "g_ema."), path);
    nn::StateDict judge = infer::below(state, "d.");
    if (judge.empty()) judge = infer::below(io::read_tensor_file(path).tensors, "model.d.");
    infer::load_weights(*discriminator_, judge, path);
    const auto average = state.find("latent_avg");
    check(average != state.end(), path.string(), ": there is no latent_avg");
    grain_.set_mean_code(average->second);
  }
  if (!is_there(options_.previous, "weights.previous", "what the stage before trained")) return;
  nn::StateDict state;
  fs::path path;
  for (const fs::path& named : options_.previous) {
    path = infer::find_checkpoint(named);
    for (const auto& [name, tensor] :
         models::Grain::official_keys().to_ours(infer::read_weights(path)))
      state[name] = tensor;
  }
  const auto load = [&](nn::Module& module, const std::string& name) {
    const nn::StateDict part = infer::below(state, name + ".");
    check(!part.empty(), path.string(), ": has no ", name, ", which stage ", stage,
          " needs; train the stage before it first, or name its file, too (weights.previous)");
    infer::load_weights(module, part, path);
  };
  load(grain_.rescaler, "rescaler");
  if (stage == 2) return;
  load(*grain_.fea2code, "fea2code");
  if (stage == 4) load(*grain_.fusion, "fusion");
  // StyleGAN2 as the stage before had it, unless a file of it is named.
  if (!options_.stylegan2.empty()) return;
  load(*grain_.stylegan2, "stylegan2");
  if (const auto average = state.find("latent_avg"); average != state.end())
    grain_.set_mean_code(average->second);
}

std::vector<Update> GrainRecipe::updates() const {
  const std::int64_t stage = grain_.options().stage;
  std::vector<nn::NamedTensor> trained, adversary;
  if (stage == 1 || stage == 4) append(trained, grain_.rescaler, "network.rescaler.");
  if (stage == 2 || stage == 4) append(trained, *grain_.fea2code, "network.fea2code.");
  if (stage >= 3) append(trained, *grain_.fusion, "network.fusion.");
  if (patches_) append(adversary, *patches_, "discriminator.");
  if (discriminator_) append(adversary, *discriminator_, "discriminator.");

  std::vector<Update> updates{{"generator", trained, "generator"},
                              {"discriminator", adversary, "discriminator",
                               discriminator_turns[static_cast<std::size_t>(stage - 1)]}};
  if (discriminator_) updates.push_back({"r1", adversary, "discriminator", r1_every});
  return updates;
}

Losses GrainRecipe::losses(std::size_t update, const Batch& batch, std::optional<int> /*variant*/,
                           Generator& generator, Share /*share*/) {
  switch (update) {
    case 0:
      return generator_losses(run(batch, generator));
    case 1:
      return discriminator_losses(run(batch, generator));
    default: {
      const Tensor r1 = r1_penalty([&](const Tensor& x) { return judge(x); }, batch.hr * 2.0 - 1.0);
      return {r1 * (r1_gamma / 2 * static_cast<double>(r1_every)), {{"r1", r1.detach()}}};
    }
  }
}

bool GrainRecipe::learns_to_downscale() const {
  return grain_.options().stage == 1 || grain_.options().stage == 4;
}

GrainRecipe::Pass GrainRecipe::run(const Batch& batch, Generator& generator) const {
  Pass pass{.x = batch.hr * 2.0 - 1.0, .lr = {}, .y = {}};
  pass.lr = grain_.rescaler.encoder(pass.x);
  const Tensor stored = models::quantise_lr(pass.lr, learns_to_downscale() ? &generator : nullptr);
  pass.y = grain_.decode(stored, &generator).best();
  return pass;
}

Tensor GrainRecipe::judge(const Tensor& images) const {
  return patches_ ? (*patches_)(resize_bilinear(images, patch_side, patch_side))
                  : (*discriminator_)(images);
}

Losses GrainRecipe::generator_losses(const Pass& pass) const {
  const auto& [x, lr, y] = pass;
  Losses losses{mse_loss(y, x), {}};
  losses.terms.push_back({"mse", losses.total.detach()});
  const auto add = [&](const char* name, double weight, const Tensor& value) {
    losses.total = losses.total + value * weight;
    losses.terms.push_back({name, value.detach()});
  };
  if (learns_to_downscale())
    add("lr", options_.lambda_lr, mse_loss(lr, resize_bilinear(x, lr.size(2), lr.size(3))));
  if (lpips_) add("lpips", options_.lambda_perceptual, (*lpips_)(y, x));
  if (identity_) add("identity", options_.lambda_identity, identity_loss(*identity_, y, x));
  if (options_.lambda_adversarial > 0)
    add("adversarial", options_.lambda_adversarial,
        patches_ ? relativistic_loss(judge(y), judge(x)) : logistic_generator_loss(judge(y)));
  return losses;
}

Losses GrainRecipe::discriminator_losses(const Pass& pass) const {
  const Tensor real = judge(pass.x), fake = judge(pass.y);
  return {patches_ ? relativistic_loss(real, fake) : logistic_discriminator_loss(real, fake),
          {{"real", mean(real).detach()}, {"fake", mean(fake).detach()}}};
}

}  // namespace mini::train
