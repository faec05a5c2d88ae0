// The networks that mini_bench measures: invertible ones, whose parts it looks into.
#pragma once

#include <memory>
#include <string>

#include "models/invertible/invertible_rescaler.h"
#include "models/registry.h"

namespace mini::bench {

// A zero stands for the paper's value. A setting that a network does not have is ignored.
struct NetworkSize {
  std::int64_t scale = 2, enhanced_blocks = 0, vanilla_blocks = 0;
};
models::NetworkConfig network_config(const std::string& name, const NetworkSize& size);
// Throws for a network that is not invertible.
std::unique_ptr<models::FlowRescaler> make_invertible(const models::NetworkConfig& config,
                                                      Generator& generator);

}  // namespace mini::bench
