// Small invertible networks for tests.
#pragma once

#include <memory>
#include <string>

#include "models/irn/irn.h"
#include "models/sain/sain.h"

namespace mini::test {

struct NetworkSize {
  std::int64_t scale = 2;
  std::int64_t enhanced_blocks = 1, vanilla_blocks = 1;  // enhanced: of SAIN alone
  std::int64_t growth = 4;
};

// "sain" or "irn"
inline std::unique_ptr<models::InvertibleRescaler> make_network(const std::string& name,
                                                                const NetworkSize& size,
                                                                Generator& generator) {
  if (name == models::Irn::network)
    return std::make_unique<models::Irn>(
        models::IrnOptions{size.scale, size.vanilla_blocks, size.growth}, generator);
  return std::make_unique<models::Sain>(
      models::SainOptions{size.scale, size.enhanced_blocks, size.vanilla_blocks, size.growth},
      generator);
}

}  // namespace mini::test
