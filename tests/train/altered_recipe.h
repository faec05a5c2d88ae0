// The configured recipe, whose losses a test alters.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "train/config.h"
#include "train/recipe.h"

namespace mini::train {

class AlteredRecipe : public Recipe {
 public:
  using Alter = std::function<Losses(Recipe& configured, Losses losses)>;
  AlteredRecipe(std::unique_ptr<Recipe> configured, Alter alter)
      : configured_(std::move(configured)), alter_(std::move(alter)) {}

  nn::Module& modules() override { return configured_->modules(); }
  models::Rescaler& network() override { return configured_->network(); }
  std::vector<Update> updates() const override { return configured_->updates(); }
  std::optional<int> variant(std::size_t update, Generator& generator) const override {
    return configured_->variant(update, generator);
  }
  Losses losses(std::size_t update, const Batch& batch, std::optional<int> variant,
                Generator& generator, Share share) override {
    return alter_(*configured_, configured_->losses(update, batch, variant, generator, share));
  }

 private:
  std::unique_ptr<Recipe> configured_;
  Alter alter_;
};

// For TrainerOptions::recipe.
inline auto altered(AlteredRecipe::Alter alter) {
  return [alter = std::move(alter)](const TrainConfig& config,
                                    Generator& generator) -> std::unique_ptr<Recipe> {
    return std::make_unique<AlteredRecipe>(
        config.recipe.make(config.model.make(generator), generator), alter);
  };
}

}  // namespace mini::train
