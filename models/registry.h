// The networks there are. Each has one entry in models/registry.cpp, and nothing else knows them by
// name: configurations, the tools and the reader of weights ask here.
//
// To add a network: a class derived from Rescaler with
//   struct Options                                      what it is built from, with the paper's defaults
//   static constexpr const char* network                its name
//   static constexpr const char* recipe                 what trains it, unless told otherwise
//                                                       (train/recipes/registry.h)
//   static std::vector<nn::Field> fields(Options&)      a row for each option; there must be "scale"
//   static std::optional<Options> recognise(const nn::StateDict&)   from weights; none if of another
//   static std::vector<std::string> untold(const nn::StateDict&)    the options that these weights do
//                                                       not tell; may be left out if there are none
//   Network(const Options&, Generator&)
// and a line in the list of registry.cpp.
#pragma once

#include <any>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "models/rescaler.h"
#include "nn/field.h"

namespace mini::models {

struct Network {
  std::string name, recipe;
  std::any defaults;  // its Options, as is `options` in what follows
  std::function<std::vector<nn::Field>(std::any& options)> fields;
  std::function<std::int64_t(const std::any& options)> scale;
  std::function<std::unique_ptr<Rescaler>(const std::any& options, Generator&)> make;
  // Nothing when the weights are not of this network; an Error when they are, but make no sense.
  std::function<std::optional<std::any>(const nn::StateDict&)> recognise;
  // The options that such weights do not tell, so that recognise() assumes the usual value.
  std::function<std::vector<std::string>(const nn::StateDict&)> untold;
};

const std::vector<Network>& networks();
// Throws for an unknown name; the Error lists the known ones.
const Network& find_network(const std::string& name);
std::vector<std::string> network_names();

// The choice of a network, with its options.
class NetworkConfig {
 public:
  NetworkConfig();  // the first of networks()
  explicit NetworkConfig(const std::string& name);
  NetworkConfig(const std::string& name, std::any options);

  const std::string& name() const { return network_->name; }
  const std::string& recipe() const { return network_->recipe; }
  std::int64_t scale() const { return network_->scale(options_); }
  // Rows that point into this object.
  std::vector<nn::Field> fields() { return network_->fields(options_); }
  // Initialised as the paper says, from `generator`.
  std::unique_ptr<Rescaler> make(Generator& generator) const {
    return network_->make(options_, generator);
  }
  std::vector<std::string> untold(const nn::StateDict& state) const {
    return network_->untold(state);
  }
  template <class Options>
  const Options& options() const {
    return std::any_cast<const Options&>(options_);
  }

 private:
  const Network* network_;
  std::any options_;
};

// Reads network, scale and depth off the names and shapes in `state`. Throws for weights of a network
// that is not in the list.
NetworkConfig recognise_network(const nn::StateDict& state);

}  // namespace mini::models
