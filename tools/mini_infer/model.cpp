#include "tools/mini_infer/model.h"

#include <algorithm>
#include <fmt/core.h>
#include <fmt/ranges.h>
#include <optional>

#include "infer/checkpoints.h"
#include "infer/stated.h"
#include "infer/weights.h"
#include "models/registry.h"
#include "tools/mini_infer/memory.h"
#include "tools/mini_infer/run_jobs.h"
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

WeightFile read_network_weights(const std::filesystem::path& path, const ModelOptions& options) {
  WeightFile file = read_weight_file(path, options.raw_weights ? Weights::raw : Weights::averaged);
  FoundWeights found = find_weights(file.state, options.weights_key, is_network, path);
  if (const std::string note = found.note(); !note.empty()) tell(path, note);
  return {std::move(found.state), std::move(file.stated)};
}

// The network of the weights, with the options that they, the file and the command line tell. What
// had to be assumed is reported: another value would give another picture.
models::NetworkConfig config_for(const WeightFile& file, const std::filesystem::path& path,
                                 const ModelOptions& options) {
  Stated given = parse_options(options.set);
  const std::vector<std::string> untold = recognised(file.state)->untold(file.state);
  const bool tells_scale = std::find(untold.begin(), untold.end(), "scale") == untold.end();
  if (options.scale != 0 && !tells_scale) given["scale"] = std::to_string(options.scale);
  RecognisedNetwork network;
  try {
    network = recognise_network(file.state, file.stated, given);
  } catch (const Error& error) {
    fail(path.string(), ": ", error.what());
  }
  if (!network.assumed.empty())
    tell(path, fmt::format("does not tell, so this is assumed: {} (--set KEY=VALUE changes it)",
                           fmt::join(network.assumed, ", ")));
  return network.config;
}

std::unique_ptr<models::Rescaler> load_network(const ModelOptions& options) {
  const auto path = find_checkpoint(options.weights);
  const WeightFile file = read_network_weights(path, options);
  std::optional<models::NetworkConfig> config = recognised(file.state);
  if (config && (options.model.empty() || options.model == config->name())) {
    config = config_for(file, path, options);
    check(options.scale == 0 || options.scale == config->scale(), path.string(),
          ": holds weights for x", config->scale(), ", --scale asks for x", options.scale);
  } else {  // loading will say what is missing and unexpected
    config = options.model.empty() ? models::NetworkConfig() : models::NetworkConfig(options.model);
  }
  Generator generator{0, 0};
  auto network = config->make(generator);
  load_weights(*network, file.state, path);
  network->set_requires_grad(false);
  network->set_training(false);
  network->to(options.device);
  return network;
}

MemoryLimit limit_for(const ModelOptions& options) {
  if (options.device.is_cpu()) return set_memory_limit(host_limit(options));
  Allocator& memory = allocator(options.device);
  if (options.memory_limit > 0) {
    memory.set_total_limit(options.memory_limit);
    return {.bytes = options.memory_limit};
  }
  return {.bytes = memory.stats().live + memory.available()};
}

}  // namespace

bool is_network(const nn::StateDict& state) { return recognised(state).has_value(); }

std::size_t host_limit(const ModelOptions& options) {
  return options.device.is_cpu() && options.memory_limit > 0 ? options.memory_limit
                                                             : default_memory_limit();
}

io::ReadOptions read_options(const ModelOptions& options) {
  return {.max_pixels = options.max_pixels,
          .max_bytes = std::min(bytes_to_read(host_limit(options)), options.max_bytes)};
}

std::string network_table() {
  std::string table = fmt::format("{:<8} {:<8} trained by\n", "network", "scales");
  for (const std::string& name : models::network_names()) {
    models::NetworkConfig config(name);
    std::vector<std::string> scales;
    for (const nn::Field& field : config.fields())
      if (field.path == "scale") scales = field.choices;
    table += fmt::format("{:<8} {:<8} recipe={}\n", name, fmt::join(scales, ","), config.recipe());
  }
  return table + "bicubic  any      nothing: it has no weights\n";
}

Model load_model(const ModelOptions& given) {
  ModelOptions options = given;
  Model model;
  const bool bicubic = options.model == "bicubic";
  if (bicubic) {
    check(options.weights.empty(), "--model bicubic takes no --weights; leave one of them out");
    model.scaler = bicubic_scaler(options.scale == 0 ? 2 : options.scale,
                                  set_memory_limit(host_limit(options)));
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
