// Checkpoints of training. See train/checkpoint.h.
#include "train/checkpoint.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <optional>

#include "tensor/version.h"

namespace mini::train {
namespace {
namespace fs = std::filesystem;

constexpr const char* kind_key = "format";
constexpr const char* kind = "mini_train checkpoint 1";

const std::string model_prefix = "model.", optimizer_prefix = "optimizer.";
const std::string name_prefix = "step_", name_suffix = ".safetensors";

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

// The step in the name of a checkpoint; none for other files.
std::optional<std::int64_t> step_in_name(const fs::path& path) {
  const std::string name = path.filename().string();
  if (!name.starts_with(name_prefix) || !name.ends_with(name_suffix)) return std::nullopt;
  const std::size_t digits = name.size() - name_prefix.size() - name_suffix.size();
  return number_in<std::int64_t>(std::string_view(name).substr(name_prefix.size(), digits));
}

// The entries whose names begin with `prefix`, without it.
std::map<std::string, Tensor> below(const std::map<std::string, Tensor>& tensors,
                                    const std::string& prefix) {
  std::map<std::string, Tensor> result;
  for (const auto& [name, tensor] : tensors)
    if (name.starts_with(prefix)) result.emplace(name.substr(prefix.size()), tensor);
  return result;
}

Checkpoint parse_checkpoint(const fs::path& path, const io::TensorFile& file) {
  check(is_checkpoint(file), path.string(),
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
  read("step", checkpoint.step);
  read("validated", checkpoint.validated);
  read("noise_seed", checkpoint.noise.seed);
  read("noise_offset", checkpoint.noise.offset);
  read("best_score", checkpoint.best_score);
  check(checkpoint.step >= 0, path.string(), ": step in its metadata is negative");
  checkpoint.config = text("config");
  checkpoint.model = model_of(file);
  checkpoint.optimizer = below(file.tensors, optimizer_prefix);
  return checkpoint;
}

}  // namespace

void save_checkpoint(const fs::path& path, const Checkpoint& checkpoint) {
  io::TensorFile file;
  for (const auto& [name, tensor] : checkpoint.model)
    file.tensors.emplace(model_prefix + name, tensor);
  for (const auto& [name, tensor] : checkpoint.optimizer)
    file.tensors.emplace(optimizer_prefix + name, tensor);
  file.metadata = {{kind_key, kind},
                   {"version", version()},
                   {"step", exact_text(checkpoint.step)},
                   {"validated", exact_text(checkpoint.validated)},
                   {"noise_seed", exact_text(checkpoint.noise.seed)},
                   {"noise_offset", exact_text(checkpoint.noise.offset)},
                   {"best_score", exact_text(checkpoint.best_score)},
                   {"config", checkpoint.config}};
  io::write_safetensors(path, file);
}

Checkpoint load_checkpoint(const fs::path& path) {
  try {
    return parse_checkpoint(path, io::read_safetensors(path));
  } catch (const Error& error) {
    fail(error.what(), earlier_checkpoint(path));
  }
}

fs::path checkpoint_path(const fs::path& folder, std::int64_t step) {
  std::string digits = std::to_string(step);
  digits.insert(0, digits.size() < 9 ? 9 - digits.size() : 0, '0');  // names sort by step
  return folder / (name_prefix + digits + name_suffix);
}

std::vector<fs::path> list_checkpoints(const fs::path& folder) {
  std::vector<fs::path> paths;
  if (!fs::is_directory(folder)) return paths;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder))
    if (step_in_name(entry.path())) paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end(), [](const fs::path& a, const fs::path& b) {
    return *step_in_name(a) < *step_in_name(b);
  });
  return paths;
}

fs::path find_checkpoint(const fs::path& file_or_folder) {
  check(fs::exists(file_or_folder), file_or_folder.string(), ": there is no such file or folder");
  if (!fs::is_directory(file_or_folder)) return file_or_folder;
  const std::vector<fs::path> paths = list_checkpoints(file_or_folder);
  check(!paths.empty(), file_or_folder.string(), ": holds no checkpoint (", name_prefix, "*",
        name_suffix, ")");
  return paths.back();
}

std::string earlier_checkpoint(const fs::path& path) {
  const auto step = step_in_name(path);
  if (!step) return {};
  std::string hint;
  for (const fs::path& other : list_checkpoints(path.has_parent_path() ? path.parent_path() : "."))
    if (*step_in_name(other) < *step) hint = "; the checkpoint before it is " + other.string();
  return hint;
}

void remove_old_checkpoints(const fs::path& folder, std::int64_t step, std::int64_t keep) {
  std::vector<fs::path> paths = list_checkpoints(folder);
  const auto later = std::find_if(paths.begin(), paths.end(),
                                  [&](const fs::path& path) { return *step_in_name(path) > step; });
  const auto first_kept = later - std::min<std::ptrdiff_t>(keep, later - paths.begin());
  for (auto path = paths.begin(); path != paths.end(); ++path)
    if (path < first_kept || path >= later) fs::remove(*path);
}

bool is_checkpoint(const io::TensorFile& file) {
  const auto found = file.metadata.find(kind_key);
  return found != file.metadata.end() && found->second == kind;
}

nn::StateDict model_of(const io::TensorFile& file) { return below(file.tensors, model_prefix); }

}  // namespace mini::train
