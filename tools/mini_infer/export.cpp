// export: what inference needs of a checkpoint, and nothing else.
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "infer/weights.h"
#include "io/json.h"
#include "models/registry.h"
#include "tools/mini_infer/commands.h"

namespace mini::infer {
namespace {

// codec.format in the configuration of the run; empty where there is none.
std::string codec_of(const std::string& configuration) {
  constexpr std::size_t depth = 16;
  const nlohmann::json json = io::parse_json(configuration, depth, io::JsonComments::ignored);
  return json.value(nlohmann::json::json_pointer("/codec/format"), std::string());
}

}  // namespace

int export_weights(const std::filesystem::path& from, const std::filesystem::path& to,
                   bool raw_weights) {
  check(to.extension() == ".safetensors", to.string(), ": must be called .safetensors");
  const std::filesystem::path path = find_checkpoint(from);
  const io::TensorFile file = io::read_tensor_file(path);
  check(is_checkpoint(file), path.string(), ": is no checkpoint of mini_train");
  const nn::StateDict state = network_of(file, raw_weights ? Weights::raw : Weights::averaged);
  const models::NetworkConfig config = models::recognise_network(state);
  io::TensorFile result{.tensors = state, .metadata = {}};
  for (const char* key : {"step", "version"})
    if (const auto found = file.metadata.find(key); found != file.metadata.end())
      result.metadata[key] = found->second;
  if (const auto found = file.metadata.find("config"); found != file.metadata.end())
    if (const std::string codec = codec_of(found->second); !codec.empty())
      result.metadata["codec"] = codec;
  io::write_safetensors(to, result);
  fmt::print("{} -> {} ({} x{}, step {})\n", printable(path.string()), printable(to.string()),
             config.name(), config.scale(), printable(result.metadata["step"]));
  return 0;
}

}  // namespace mini::infer
