#include "infer/stated.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "infer/checkpoints.h"
#include "io/json.h"

namespace mini::infer {
namespace {

constexpr std::pair<const char*, const char*> basicsr_names[] = {
    {"img_range", "range"}, {"res_scale", "residual_scale"}, {"upscale", "scale"}};

constexpr std::size_t deepest = 32;  // levels of a configuration

// What is no configuration states nothing: the weights beside it may still be of use.
Stated of_configuration(const std::string& text) {
  Stated stated;
  nlohmann::json config;
  try {
    config = io::parse_json(text, deepest, io::JsonComments::ignored);
  } catch (const Error&) {
    return stated;
  }
  if (!config.is_object()) return stated;
  const auto model = config.find("model");
  if (model == config.end() || !model->is_object()) return stated;
  for (const auto& [name, value] : model->items())
    stated[name] = value.is_string() ? value.get<std::string>() : value.dump();
  return stated;
}

}  // namespace

Stated stated_options(const io::TensorFile& file) {
  const auto config = file.metadata.find("config");
  if (is_checkpoint(file) && config != file.metadata.end()) return of_configuration(config->second);
  Stated stated = file.metadata;
  for (const auto& [theirs, ours] : basicsr_names)
    if (const auto found = stated.find(theirs); found != stated.end())
      stated.emplace(ours, found->second);
  return stated;
}

RecognisedNetwork recognise_network(const nn::StateDict& state, const Stated& stated,
                                    const Stated& given) {
  RecognisedNetwork result{models::recognise_network(state), {}};
  const std::vector<std::string> untold = result.config.untold(state);
  for (const auto& [name, value] : given)
    check(std::find(untold.begin(), untold.end(), name) != untold.end(), "--set ", name,
          ": weights of ", result.config.name(), " have no such option to be told",
          untold.empty() ? "" : "; they have " + untold.front());
  for (const nn::Field& field : result.config.fields()) {
    if (std::find(untold.begin(), untold.end(), field.path) == untold.end()) continue;
    const auto own = given.find(field.path), theirs = stated.find(field.path);
    if (own != given.end())
      nn::set_from_text(field, own->second);
    else if (theirs != stated.end())
      nn::set_from_text(field, theirs->second);
    else
      result.assumed.push_back(field.path + ' ' + nn::text_of(field));
  }
  return result;
}

Stated parse_options(const std::vector<std::string>& assignments) {
  Stated options;
  for (const std::string& assignment : assignments) {
    const std::size_t equals = assignment.find('=');
    check(equals != std::string::npos && equals > 0, "--set ", assignment,
          ": must be KEY=VALUE, for instance range=255");
    options[assignment.substr(0, equals)] = assignment.substr(equals + 1);
  }
  return options;
}

}  // namespace mini::infer
