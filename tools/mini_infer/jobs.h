// Which files are read and which are written, known before the work begins.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace mini::infer {

struct Job {
  std::filesystem::path input, output;  // "-": the standard stream
  std::filesystem::path root{};  // the folder that the output stays in; empty: one file was named
};

// What is done about a result that is there already.
enum class Existing { replaced, skipped, refused };

struct Naming {
  std::string extension;  // of results in a folder: ".png"
  std::string name =
      "{name}";  // of them, without the extension; {name} and {ext} are the image's own,
                 // {number} counts the images from 1
  Existing existing = Existing::replaced;
};

// One input file and an `output` that is no folder: that pair. Otherwise `output` is a folder (it
// need not exist), and each image, also those in input folders, goes into it, into a subfolder where it
// came from one. An input that does not exist may be a pattern, such as *.png. Throws when two would be
// written to one place, or one onto itself, or a result is there that must not be replaced.
std::vector<Job> plan_jobs(const std::vector<std::filesystem::path>& inputs,
                           const std::filesystem::path& output, const Naming& naming);
// The same with a folder as the output in any case.
std::vector<Job> plan_folder_jobs(const std::vector<std::filesystem::path>& inputs,
                                  const std::filesystem::path& folder, const Naming& naming);

inline bool is_stream(const std::filesystem::path& path) { return path == "-"; }

}  // namespace mini::infer
