// Describes a file of weights. Its names and texts are a stranger's: every line is made printable.
#include <fmt/core.h>

#include "infer/weights.h"
#include "io/tensor_file.h"
#include "models/registry.h"
#include "tools/mini_infer/commands.h"

namespace mini::infer {
namespace {

constexpr std::size_t widest_name = 60, longest_text = 80, most_metadata = 100,
                      most_passed_over = 10;

template <class... Parts>
void print_line(fmt::format_string<Parts...> format, Parts&&... parts) {
  fmt::print("{}\n", printable(fmt::format(format, std::forward<Parts>(parts)...)));
}

void describe_network(const nn::StateDict& state, const Stated& stated) {
  models::NetworkConfig config;
  std::string assumed;
  try {
    const RecognisedNetwork network = recognise_network(state, stated);
    config = network.config;
    for (const std::string& option : network.assumed)
      assumed += (assumed.empty() ? "" : ", ") + option;
  } catch (const Error&) {
    print_line("network     none that mini_infer runs");
    return;
  }
  std::string options;
  for (const nn::Field& field : config.fields())
    if (field.path != "scale") options += fmt::format(", {} {}", field.path, nn::text_of(field));
  print_line("network     {} x{}{}", config.name(), config.scale(), options);
  if (!assumed.empty()) print_line("assumed     {}", assumed);
  try {
    Generator generator{0, 0};
    const auto network = config.make(generator);
    network->load_state_dict(network->translate(state));
    print_line("parameters  {}", network->parameter_count());
  } catch (const Error& error) {
    print_line("            but it does not load: {}", error.what());
  }
}

void describe_other_content(const io::TensorFile& file) {
  std::size_t lines = 0;
  for (const auto& [key, value] : file.metadata) {
    if (++lines > most_metadata) {
      print_line("metadata    {} more", file.metadata.size() - most_metadata);
      break;
    }
    const std::string line = value.substr(0, std::min(value.find('\n'), longest_text));
    print_line("metadata    {} = {}{}", key, line, value.size() > line.size() ? " ..." : "");
  }
  const std::size_t shown = std::min(file.passed_over.size(), most_passed_over);
  for (std::size_t i = 0; i < shown; ++i) print_line("passed over {}", file.passed_over[i]);
  if (file.passed_over.size() > shown)
    print_line("passed over {} more", file.passed_over.size() - shown);
}

}  // namespace

int describe(const std::filesystem::path& path, const std::string& weights_key) {
  const io::TensorFile file = io::read_tensor_file(path);
  std::int64_t elements = 0;
  std::size_t bytes = 0, width = 4;
  for (const auto& [name, tensor] : file.tensors) {
    elements += tensor.numel();
    bytes += tensor.bytes();
    width = std::max(width, std::min(printable(name).size(), widest_name));
  }
  const bool checkpoint = is_checkpoint(file);
  print_line("file        {}", path.string());
  print_line("format      {}{}", io::name_of(io::tensor_format(path)),
             checkpoint ? ", checkpoint of mini_train" : "");
  if (const auto step = file.metadata.find("step"); checkpoint && step != file.metadata.end())
    print_line("step        {}", step->second);
  const FoundWeights found =
      find_weights(checkpoint ? network_of(file) : file.tensors, weights_key, is_network, path);
  if (!found.key.empty()) print_line("found       {}", found.note());
  describe_network(found.state, stated_options(file));
  print_line("tensors     {}, {} elements, {:.1f} MiB", file.tensors.size(), elements,
             static_cast<double>(bytes) / (1 << 20));
  describe_other_content(file);
  fmt::print("\n");
  print_line("{:<{}}  {:<8}  {:>10}  shape", "name", width, "dtype", "elements");
  for (const auto& [name, tensor] : file.tensors)
    fmt::print("{:<{}}  {:<8}  {:>10}  {}\n", printable(name), width, name_of(tensor.dtype()),
               tensor.numel(), concat_text(tensor.shape()));
  return 0;
}

}  // namespace mini::infer
