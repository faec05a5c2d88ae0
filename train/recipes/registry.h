// The recipes there are. Each has one entry in train/recipes/registry.cpp, and nothing else knows
// them by name.
//
// To add a recipe: a class derived from Recipe with
//   struct Options                                      what can be set of it
//   static constexpr const char* recipe                 its name
//   static std::vector<nn::Field> fields(Options&)      a row for each option, with its whole path
//   static void validate(const Options&)                what no field can check alone
//   static io::ImageFormat format(const Options&)       the codec trained for; png: none
//   Recipe(const Options&, std::shared_ptr<models::Rescaler>, Generator&)
// and a line in the list of registry.cpp.
#pragma once

#include <any>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "io/image.h"
#include "nn/field.h"
#include "train/recipe.h"

namespace mini::train {

struct RecipeEntry {
  std::string name;
  std::any defaults;  // its Options, as is `options` in what follows
  std::function<std::vector<nn::Field>(std::any& options)> fields;
  std::function<void(const std::any& options)> validate;
  std::function<io::ImageFormat(const std::any& options)> format;
  std::function<std::unique_ptr<Recipe>(const std::any& options, std::shared_ptr<models::Rescaler>,
                                        Generator&)>
      make;
};

const std::vector<RecipeEntry>& recipes();
std::vector<std::string> recipe_names();

// A recipe to be followed: which, and with what options.
class RecipeConfig {
 public:
  // Throws, naming those there are.
  explicit RecipeConfig(const std::string& name);

  const std::string& name() const { return entry_->name; }
  // Rows that point into this object.
  std::vector<nn::Field> fields() { return entry_->fields(options_); }
  void validate() const { entry_->validate(options_); }
  io::ImageFormat format() const { return entry_->format(options_); }
  // For a network. Whatever else the recipe trains is initialised from `generator`.
  std::unique_ptr<Recipe> make(std::shared_ptr<models::Rescaler> network,
                               Generator& generator) const {
    return entry_->make(options_, std::move(network), generator);
  }
  template <class Options>
  const Options& options() const {
    return std::any_cast<const Options&>(options_);
  }

 private:
  const RecipeEntry* entry_;
  std::any options_;
};

}  // namespace mini::train
