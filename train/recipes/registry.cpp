// The one list of recipes. See train/recipes/registry.h.
#include "train/recipes/registry.h"

#include <algorithm>

#include "train/recipes/car.h"
#include "train/recipes/grain.h"
#include "train/recipes/hcflow.h"
#include "train/recipes/irn.h"
#include "train/recipes/sain.h"
#include "train/recipes/stylegan2.h"
#include "train/recipes/upscaling.h"

namespace mini::train {
namespace {

template <class Class>
RecipeEntry entry() {
  using Options = typename Class::Options;
  const auto of = [](const std::any& options) -> const Options& {
    return std::any_cast<const Options&>(options);
  };
  return {
      .name = Class::recipe,
      .defaults = Options(),
      .fields = [](std::any& options) { return Class::fields(*std::any_cast<Options>(&options)); },
      .validate = [of](const std::any& options) { Class::validate(of(options)); },
      .format = [of](const std::any& options) { return Class::format(of(options)); },
      .make =
          [of](const std::any& options, std::shared_ptr<models::Rescaler> network,
               Generator& generator) {
            return std::make_unique<Class>(of(options), std::move(network), generator);
          }};
}

}  // namespace

const std::vector<RecipeEntry>& recipes() {
  static const std::vector<RecipeEntry> all{
      entry<SainRecipe>(),      entry<IrnRecipe>(),   entry<HcFlowRecipe>(),   entry<CarRecipe>(),
      entry<UpscalingRecipe>(), entry<GrainRecipe>(), entry<StyleGan2Recipe>()};
  return all;
}

std::vector<std::string> recipe_names() {
  std::vector<std::string> names;
  for (const RecipeEntry& entry : recipes()) names.push_back(entry.name);
  return names;
}

RecipeConfig::RecipeConfig(const std::string& name) {
  const auto found = std::find_if(recipes().begin(), recipes().end(),
                                  [&](const RecipeEntry& entry) { return entry.name == name; });
  check(found != recipes().end(), "recipe: there is no recipe '", name, "'");
  entry_ = &*found;
  options_ = entry_->defaults;
}

}  // namespace mini::train
