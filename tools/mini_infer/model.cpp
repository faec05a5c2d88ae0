#include "tools/mini_infer/model.h"

#include <fmt/core.h>
#include <optional>

#include "tools/mini_infer/memory.h"
#include "train/checkpoint.h"
#include "train/weights.h"

namespace mini::infer {
namespace {

// What to build for these weights. Where they are of no network, or not of the one asked for, the
// one asked for: loading then says what is missing and unexpected.
models::RescalerConfig config_for(const nn::StateDict& state, const ModelOptions& options) {
  models::RescalerConfig wanted;
  if (!options.model.empty()) wanted.network = options.model;
  if (options.scale != 0) wanted.scale = options.scale;
  try {
    const models::RescalerConfig found = models::recognise_rescaler(state);
    return options.model.empty() || options.model == found.network ? found : wanted;
  } catch (const Error&) {
    return wanted;
  }
}

nn::StateDict read_network_weights(const std::filesystem::path& path, const std::string& key) {
  train::FoundWeights found = train::find_weights(train::read_weights(path), key, is_network, path);
  if (const std::string note = found.note(); !note.empty())
    fmt::print(stderr, "mini_infer: {}: {}\n", printable(path.string()), printable(note));
  return std::move(found.state);
}

std::unique_ptr<models::Rescaler> load_network(const ModelOptions& options) {
  const auto path = train::find_checkpoint(options.weights);
  const nn::StateDict state = read_network_weights(path, options.weights_key);
  const models::RescalerConfig config = config_for(state, options);
  check(options.scale == 0 || options.scale == config.scale, path.string(), ": holds weights for x",
        config.scale, ", --scale asks for x", options.scale);
  Generator generator{0, 0};
  auto network = models::make_rescaler(config, generator);
  train::load_weights(*network, state, path);
  network->set_requires_grad(false);
  network->to(options.device);
  return network;
}

train::MemoryLimit limit_for(const ModelOptions& options) {
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

bool is_network(const nn::StateDict& state) {
  try {
    models::recognise_rescaler(state);
    return true;
  } catch (const Error&) {
    return false;
  }
}

Model load_model(const ModelOptions& options) {
  Model model;
  const bool bicubic = options.model == "bicubic";
  if (options.weights.empty()) {
    check(!options.model.empty(), "give the network's weights (--weights FILE) or --model bicubic");
    check(bicubic, "--model ", options.model, " needs --weights FILE");
    model.scaler = train::bicubic_scaler(options.scale == 0 ? 2 : options.scale);
    return model;
  }
  check(!bicubic, "--model bicubic takes no --weights; leave one of them out");
  model.network = load_network(options);
  model.scaler = train::network_scaler(
      *model.network, options.sample_latent ? std::optional(options.seed) : std::nullopt,
      limit_for(options));
  return model;
}

}  // namespace mini::infer
