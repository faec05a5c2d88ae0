// The one list of networks. See models/registry.h.
#include "models/registry.h"

#include <algorithm>

#include "models/car/car.h"
#include "models/grain/grain.h"
#include "models/hcflow/hcflow.h"
#include "models/irn/irn.h"
#include "models/sain/sain.h"
#include "models/stylegan2/stylegan2.h"
#include "models/tri/tirn.h"
#include "models/tri/tsain.h"
#include "models/upscale/compact.h"
#include "models/upscale/edsr.h"
#include "models/upscale/rcan.h"
#include "models/upscale/rdn.h"
#include "models/upscale/rrdb_net.h"
#include "models/upscale/srcnn.h"

namespace mini::models {
namespace {

template <class Class>
Network entry() {
  using Options = typename Class::Options;
  return {
      .name = Class::network,
      .recipe = Class::recipe,
      .defaults = Options(),
      .fields = [](std::any& options) { return Class::fields(*std::any_cast<Options>(&options)); },
      .scale = [](const std::any& options) { return std::any_cast<const Options&>(options).scale; },
      .make =
          [](const std::any& options, Generator& generator) {
            return std::make_unique<Class>(std::any_cast<const Options&>(options), generator);
          },
      .recognise = [](const nn::StateDict& state) -> std::optional<std::any> {
        if (const std::optional<Options> found = Class::recognise(state)) return *found;
        return std::nullopt;
      },
      .untold = [](const nn::StateDict& state) -> std::vector<std::string> {
        if constexpr (requires { Class::untold(state); })
          return Class::untold(state);
        else
          return {};
      }};
}

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace

const std::vector<Network>& networks() {
  static const std::vector<Network> all{
      entry<Sain>(),    entry<Irn>(),        entry<Tsain>(), entry<Tirn>(),     entry<HcFlow>(),
      entry<Car>(),     entry<Srcnn>(),      entry<Edsr>(),  entry<Rdn>(),      entry<Rcan>(),
      entry<RrdbNet>(), entry<CompactNet>(), entry<Grain>(), entry<StyleGan2>()};
  return all;
}

std::vector<std::string> network_names() {
  std::vector<std::string> names;
  for (const Network& network : networks()) names.push_back(network.name);
  return names;
}

const Network& find_network(const std::string& name) {
  const auto found = std::find_if(networks().begin(), networks().end(),
                                  [&](const Network& network) { return network.name == name; });
  check(found != networks().end(), "model: there is no network '", name, "'; there are ",
        listed(network_names()));
  return *found;
}

NetworkConfig::NetworkConfig() : NetworkConfig(networks().front().name) {}
NetworkConfig::NetworkConfig(const std::string& name)
    : NetworkConfig(name, find_network(name).defaults) {}
NetworkConfig::NetworkConfig(const std::string& name, std::any options)
    : network_(&find_network(name)), options_(std::move(options)) {
  check(options_.type() == network_->defaults.type(), "model: these are not the options of ", name);
}

NetworkConfig recognise_network(const nn::StateDict& state) {
  for (const Network& network : networks())
    if (std::optional<std::any> options = network.recognise(state))
      return {network.name, std::move(*options)};
  fail("model: the weights are of none of the networks here (", listed(network_names()),
       "); their first name is ",
       state.empty() ? "missing: there are no tensors" : state.begin()->first);
}

}  // namespace mini::models
