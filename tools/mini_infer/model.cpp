#include "tools/mini_infer/model.h"

#include <fmt/core.h>
#include <optional>

#include "infer/checkpoints.h"
#include "infer/weights.h"
#include "models/registry.h"
#include "tools/mini_infer/memory.h"
#include "tools/mini_infer/shipped.h"

namespace mini::infer {
namespace {

// What the weights are of, if they are of a network.
std::optional<models::NetworkConfig> recognised(const nn::StateDict& state) {
  try {
    return models::recognise_network(state);
  } catch (const Error&) {
    return std::nullopt;
  }
}

nn::StateDict read_network_weights(const std::filesystem::path& path, const ModelOptions& options) {
  const Weights wanted = options.raw_weights ? Weights::raw : Weights::averaged;
  FoundWeights found =
      find_weights(read_weights(path, wanted), options.weights_key, is_network, path);
  if (const std::string note = found.note(); !note.empty())
    fmt::print(stderr, "mini_infer: {}: {}\n", printable(path.string()), printable(note));
  return std::move(found.state);
}

std::unique_ptr<models::Rescaler> load_network(const ModelOptions& options) {
  const auto path = find_checkpoint(options.weights);
  const nn::StateDict state = read_network_weights(path, options);
  std::optional<models::NetworkConfig> config = recognised(state);
  if (config && (options.model.empty() || options.model == config->name()))
    check(options.scale == 0 || options.scale == config->scale(), path.string(),
          ": holds weights for x", config->scale(), ", --scale asks for x", options.scale);
  else  // loading will say what is missing and unexpected
    config = options.model.empty() ? models::NetworkConfig() : models::NetworkConfig(options.model);
  Generator generator{0, 0};
  auto network = config->make(generator);
  load_weights(*network, state, path);
  network->set_requires_grad(false);
  network->to(options.device);
  return network;
}

MemoryLimit limit_for(const ModelOptions& options) {
  if (options.device.is_cpu())
    return set_memory_limit(options.memory_limit > 0 ? options.memory_limit
                                                     : default_memory_limit());
  Allocator& memory = allocator(options.device);
  if (options.memory_limit > 0) {
    memory.set_total_limit(options.memory_limit);
    return {.bytes = options.memory_limit};
  }
  return {.bytes = memory.stats().live + memory.available()};
}

}  // namespace

bool is_network(const nn::StateDict& state) { return recognised(state).has_value(); }

Model load_model(const ModelOptions& given) {
  ModelOptions options = given;
  Model model;
  const bool bicubic = options.model == "bicubic";
  if (bicubic) {
    check(options.weights.empty(), "--model bicubic takes no --weights; leave one of them out");
    model.scaler = bicubic_scaler(options.scale == 0 ? 2 : options.scale);
    return model;
  }
  if (options.weights.empty()) {
    options.weights = choose_shipped(options);
    fmt::print(stderr, "mini_infer: takes {}\n", printable(options.weights.string()));
  }
  model.network = load_network(options);
  model.scaler = network_scaler(*model.network,
                                options.sample_latent ? std::optional(options.seed) : std::nullopt,
                                limit_for(options));
  return model;
}

}  // namespace mini::infer
