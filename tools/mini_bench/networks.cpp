#include "tools/mini_bench/networks.h"

#include <algorithm>

#include "train/fields.h"

namespace mini::bench {

models::NetworkConfig network_config(const std::string& name, const NetworkSize& size) {
  models::NetworkConfig config(name);
  const std::vector<nn::Field> fields = config.fields();
  const auto set = [&](const char* key, std::int64_t value) {
    const bool known = std::any_of(fields.begin(), fields.end(),
                                   [&](const nn::Field& field) { return field.path == key; });
    if (known && value != 0) train::set_field(fields, concat_text(key, '=', value), {});
  };
  set("scale", size.scale);
  set("enhanced_blocks", size.enhanced_blocks);
  set("vanilla_blocks", size.vanilla_blocks);
  return config;
}

std::unique_ptr<models::FlowRescaler> make_invertible(const models::NetworkConfig& config,
                                                      Generator& generator) {
  std::unique_ptr<models::Rescaler> network = config.make(generator);
  auto* const invertible = dynamic_cast<models::FlowRescaler*>(network.get());
  check(invertible != nullptr, network->name(),
        " is no chain of coupling layers; mini_bench measures ", "those alone");
  static_cast<void>(network.release());  // the same object, owned below
  return std::unique_ptr<models::FlowRescaler>(invertible);
}

}  // namespace mini::bench
