// Checkpoints of training. See train/checkpoint.h.
#include "train/checkpoint.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "io/safetensors.h"
#include "tensor/version.h"

namespace mini::train {
namespace {
namespace fs = std::filesystem;

const std::string optimizer_prefix = "optimizer.";
using infer::CheckpointMark;

// The shortest text that reads back as the same number.
template <class T>
std::string exact_text(T value) {
  char text[64];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

template <class T>
std::optional<T> number_in(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Checkpoint parse_checkpoint(const fs::path& path, const io::TensorFile& file) {
  check(infer::is_checkpoint(file), path.string(),
        ": is no checkpoint of mini_train; weights alone are taken with --init");
  const auto text = [&](const char* key) -> const std::string& {
    const auto found = file.metadata.find(key);
    check(found != file.metadata.end(), path.string(), ": has no ", key, " in its metadata");
    return found->second;
  };
  const auto read = [&](const char* key, auto& value) {
    const auto number = number_in<std::remove_reference_t<decltype(value)>>(text(key));
    check(number.has_value(), path.string(), ": ", key,
          " in its metadata is no number: ", text(key));
    value = *number;
  };
  Checkpoint checkpoint;
  read("step", checkpoint.position.step);
  if (file.metadata.contains("update")) read("update", checkpoint.position.update);
  read("validated", checkpoint.validated);
  read("noise_seed", checkpoint.noise.seed);
  read("noise_offset", checkpoint.noise.offset);
  read("best_score", checkpoint.best_score);
  check(checkpoint.position.step >= 0, path.string(), ": step in its metadata is negative");
  checkpoint.config = text("config");
  const auto text_or_none = [&](const char* key) {
    const auto found = file.metadata.find(key);
    return found == file.metadata.end() ? std::string() : found->second;
  };
  checkpoint.images = text_or_none("images");
  checkpoint.window = text_or_none("window");
  if (const auto found = file.metadata.find(CheckpointMark::network); found != file.metadata.end())
    checkpoint.network_prefix = found->second;
  checkpoint.model = infer::below(file.tensors, CheckpointMark::model);
  checkpoint.average = infer::below(file.tensors, CheckpointMark::average);
  checkpoint.optimizer = infer::below(file.tensors, optimizer_prefix);
  return checkpoint;
}

}  // namespace

void save_checkpoint(const fs::path& path, const Checkpoint& checkpoint) {
  io::TensorFile file;
  for (const auto& [name, tensor] : checkpoint.model)
    file.tensors.emplace(CheckpointMark::model + name, tensor);
  for (const auto& [name, tensor] : checkpoint.average)
    file.tensors.emplace(CheckpointMark::average + name, tensor);
  for (const auto& [name, tensor] : checkpoint.optimizer)
    file.tensors.emplace(optimizer_prefix + name, tensor);
  file.metadata = {{CheckpointMark::key, CheckpointMark::value},
                   {"version", version()},
                   {"step", exact_text(checkpoint.position.step)},
                   {"validated", exact_text(checkpoint.validated)},
                   {"noise_seed", exact_text(checkpoint.noise.seed)},
                   {"noise_offset", exact_text(checkpoint.noise.offset)},
                   {"best_score", exact_text(checkpoint.best_score)},
                   {"config", checkpoint.config}};
  if (checkpoint.position.update > 0)
    file.metadata["update"] = exact_text(checkpoint.position.update);
  if (!checkpoint.images.empty()) file.metadata["images"] = checkpoint.images;
  if (!checkpoint.window.empty()) file.metadata["window"] = checkpoint.window;
  if (!checkpoint.network_prefix.empty())
    file.metadata[CheckpointMark::network] = checkpoint.network_prefix;
  io::write_safetensors(path, file);
}

Checkpoint load_checkpoint(const fs::path& path) {
  try {
    return parse_checkpoint(path, io::read_safetensors(path));
  } catch (const Error& error) {
    fail(error.what(), infer::earlier_checkpoint(path));
  }
}

void remove_old_checkpoints(const fs::path& folder, std::int64_t step, std::int64_t keep) {
  std::vector<fs::path> paths = list_checkpoints(folder);
  const auto later = std::find_if(paths.begin(), paths.end(), [&](const fs::path& path) {
    return *infer::step_in_name(path) > step;
  });
  const auto first_kept = later - std::min<std::ptrdiff_t>(keep, later - paths.begin());
  for (auto path = paths.begin(); path != paths.end(); ++path)
    if (path < first_kept || path >= later) fs::remove(*path);
}

}  // namespace mini::train
