#include "infer/checkpoints.h"

#include <algorithm>
#include <charconv>
#include <string>

namespace mini::infer {
namespace fs = std::filesystem;
namespace {

const std::string name_prefix = "step_", name_suffix = ".safetensors";

}  // namespace

std::optional<std::int64_t> step_in_name(const fs::path& path) {
  const std::string name = path.filename().string();
  if (!name.starts_with(name_prefix) || !name.ends_with(name_suffix)) return std::nullopt;
  const std::size_t digits = name.size() - name_prefix.size() - name_suffix.size();
  const char *const first = name.data() + name_prefix.size(), *const last = first + digits;
  std::int64_t step = 0;
  const auto [end, error] = std::from_chars(first, last, step);
  if (error != std::errc() || end != last) return std::nullopt;
  return step;
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

bool is_checkpoint(const io::TensorFile& file) {
  const auto found = file.metadata.find(CheckpointMark::key);
  return found != file.metadata.end() && found->second == CheckpointMark::value;
}

nn::StateDict network_of(const io::TensorFile& file, Weights weights) {
  if (weights == Weights::averaged)
    if (nn::StateDict average = below(file.tensors, CheckpointMark::average); !average.empty())
      return average;
  const auto prefix = file.metadata.find(CheckpointMark::network);
  return below(file.tensors, CheckpointMark::model +
                                 (prefix == file.metadata.end() ? std::string() : prefix->second));
}

nn::StateDict below(const nn::StateDict& tensors, const std::string& prefix) {
  nn::StateDict result;
  for (const auto& [name, tensor] : tensors)
    if (name.starts_with(prefix)) result.emplace(name.substr(prefix.size()), tensor);
  return result;
}

}  // namespace mini::infer
