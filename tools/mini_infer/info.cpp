#include <fmt/core.h>

#include "infer/checkpoints.h"

#include "io/tensor_file.h"
#include "models/registry.h"
#include "tools/mini_infer/commands.h"

namespace mini::infer {
namespace {

std::string format_of(const std::filesystem::path& path) {
  const io::InputFile file(path);
  std::array<std::byte, 2> start{};
  if (file.size() >= start.size()) file.read_at(0, start);
  if (io::as_text(start) == "PK") return "PyTorch, zip archive";
  if (start[0] == std::byte{0x80}) return "PyTorch, legacy pickle";
  return "safetensors";
}

void describe_network(const nn::StateDict& state) {
  models::NetworkConfig config;
  try {
    config = models::recognise_network(state);
  } catch (const Error&) {
    fmt::print("network     none that mini_infer runs\n");
    return;
  }
  fmt::print("network     {} x{}", config.name(), config.scale());
  for (const nn::Field& field : config.fields())
    if (field.path != "scale") fmt::print(", {} {}", field.path, nn::text_of(field));
  fmt::print("\n");
  try {
    Generator generator{0, 0};
    const auto network = config.make(generator);
    network->load_state_dict(state);
    fmt::print("parameters  {}\n", network->parameter_count());
  } catch (const Error& error) {
    fmt::print("            but it does not load: {}\n", error.what());
  }
}

std::string text_of(const Shape& shape) { return concat_text(shape); }

}  // namespace

int describe(const std::filesystem::path& path) {
  const io::TensorFile file = io::read_tensor_file(path);
  std::int64_t elements = 0;
  std::size_t bytes = 0, width = 4;
  for (const auto& [name, tensor] : file.tensors) {
    elements += tensor.numel();
    bytes += tensor.bytes();
    width = std::max(width, name.size());
  }
  const bool checkpoint = is_checkpoint(file);
  fmt::print("file        {}\nformat      {}{}\n", path.string(), format_of(path),
             checkpoint ? ", checkpoint of mini_train" : "");
  if (const auto step = file.metadata.find("step"); checkpoint && step != file.metadata.end())
    fmt::print("step        {}\n", step->second);
  describe_network(checkpoint ? network_of(file) : file.tensors);
  fmt::print("tensors     {}, {} elements, {:.1f} MiB\n", file.tensors.size(), elements,
             static_cast<double>(bytes) / (1 << 20));
  for (const auto& [key, value] : file.metadata) {
    const std::string line = value.substr(0, value.find('\n'));
    fmt::print("metadata    {} = {}{}\n", key, line.substr(0, 80),
               value.size() > std::min<std::size_t>(line.size(), 80) ? " ..." : "");
  }
  fmt::print("\n{:<{}}  {:<8}  {:>10}  shape\n", "name", width, "dtype", "elements");
  for (const auto& [name, tensor] : file.tensors)
    fmt::print("{:<{}}  {:<8}  {:>10}  {}\n", name, width, name_of(tensor.dtype()), tensor.numel(),
               text_of(tensor.shape()));
  return 0;
}

}  // namespace mini::infer
