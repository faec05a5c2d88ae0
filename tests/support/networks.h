// Small invertible networks for tests, and the losses they are trained by.
#pragma once

#include <memory>
#include <string>

#include "models/irn/irn.h"
#include "models/registry.h"
#include "models/sain/sain.h"
#include "train/recipes/registry.h"

namespace mini::test {

struct NetworkSize {
  std::int64_t scale = 2;
  std::int64_t enhanced_blocks = 1, vanilla_blocks = 1;  // enhanced: of SAIN alone
  std::int64_t growth = 4;
};

// "sain" or "irn"
inline std::unique_ptr<models::FlowRescaler> make_network(const std::string& name,
                                                          const NetworkSize& size,
                                                          Generator& generator) {
  if (name == models::Irn::network)
    return std::make_unique<models::Irn>(
        models::IrnOptions{size.scale, size.vanilla_blocks, size.growth}, generator);
  return std::make_unique<models::Sain>(
      models::SainOptions{size.scale, size.enhanced_blocks, size.vanilla_blocks, size.growth},
      generator);
}

// What its paper's recipe makes of a batch. The network's memory mode stays as it is.
inline train::Losses losses_of(const std::shared_ptr<models::InvertibleRescaler>& network,
                               const Tensor& hr, const Tensor& lr_reference, Generator& noise) {
  const models::MemoryMode memory = network->memory();
  const auto recipe =
      train::RecipeConfig(models::find_network(network->name()).recipe).make(network, noise);
  network->set_memory(memory);
  const auto variant = recipe->variant(0, noise);
  return recipe->losses(0, {hr, lr_reference}, variant, noise, {});
}

}  // namespace mini::test
