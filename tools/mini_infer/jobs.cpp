#include "tools/mini_infer/jobs.h"

#include <glob.h>
#include <map>

#include "infer/images.h"
#include "tensor/error.h"

namespace mini::infer {
namespace fs = std::filesystem;
namespace {

std::vector<Job> checked(std::vector<Job> jobs, const Naming& naming) {
  std::map<fs::path, fs::path> writer;
  for (const Job& job : jobs) {
    std::error_code ignored;
    check(is_stream(job.output) || !fs::equivalent(job.input, job.output, ignored),
          job.input.string(), ": would be overwritten by its own result; choose another output");
    const auto [first, added] = writer.emplace(job.output.lexically_normal(), job.input);
    check(added, first->second.string(), " and ", job.input.string(), " would both be written to ",
          job.output.string(), "; --name '{name}_{ext}' keeps them apart");
    check(naming.existing != Existing::refused || is_stream(job.output) ||
              !fs::exists(job.output, ignored),
          job.output.string(), ": is there already (--no-clobber); --skip-existing passes it over");
  }
  if (naming.existing == Existing::skipped)
    std::erase_if(jobs, [](const Job& job) { return fs::exists(job.output); });
  return jobs;
}

// The files that a pattern stands for; the path itself where it is there, or nothing fits.
std::vector<fs::path> expanded(const fs::path& path) {
  std::error_code ignored;
  if (is_stream(path) || fs::exists(path, ignored) ||
      path.string().find_first_of("*?[") == std::string::npos)
    return {path};
  glob_t found{};
  std::vector<fs::path> paths;
  if (::glob(path.c_str(), 0, nullptr, &found) == 0)
    paths.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  ::globfree(&found);
  return paths.empty() ? std::vector{path} : paths;
}

std::vector<fs::path> expanded(const std::vector<fs::path>& paths) {
  std::vector<fs::path> all;
  for (const fs::path& path : paths)
    for (fs::path& one : expanded(path)) all.push_back(std::move(one));
  return all;
}

std::string filled_in(std::string name, const fs::path& image, std::size_t number) {
  std::string extension = image.extension().string();
  if (!extension.empty()) extension.erase(0, 1);
  const std::pair<std::string, std::string> parts[] = {{"{name}", image.stem().string()},
                                                       {"{ext}", extension},
                                                       {"{number}", std::to_string(number)}};
  std::string result;
  while (!name.empty()) {
    std::size_t taken = 1;
    std::string text = name.substr(0, 1);
    for (const auto& [key, value] : parts)
      if (name.starts_with(key)) {
        text = value;
        taken = key.size();
      }
    check(taken > 1 || (name[0] != '{' && name[0] != '}'),
          "--name: what is in braces must be {name}, {ext} or {number}");
    result += text;
    name.erase(0, taken);
  }
  check(result.find('/') == std::string::npos, "--name: ", result, " must hold no slash");
  return result;
}

}  // namespace

std::vector<Job> plan_folder_jobs(const std::vector<fs::path>& inputs, const fs::path& folder,
                                  const Naming& naming) {
  check(!fs::exists(folder) || fs::is_directory(folder), folder.string(),
        ": is a file, a folder is needed for the results");
  std::vector<Job> jobs;
  for (const fs::path& input : expanded(inputs)) {
    check(!is_stream(input), "-: a picture from standard input needs a file or - for its result");
    for (const fs::path& image : find_images({input}, folder)) {
      const fs::path place =
          fs::is_directory(input) ? image.lexically_relative(input).parent_path() : fs::path();
      const std::string name = filled_in(naming.name, image, jobs.size() + 1) + naming.extension;
      jobs.push_back({image, folder / place / name, folder});
    }
  }
  return checked(std::move(jobs), naming);
}

std::vector<Job> plan_jobs(const std::vector<fs::path>& inputs, const fs::path& output,
                           const Naming& naming) {
  const std::vector<fs::path> all = expanded(inputs);
  const bool to_folder = all.size() > 1 || fs::is_directory(all.front()) ||
                         fs::is_directory(output) || output.filename().empty();
  if (!to_folder) return checked({{all.front(), output}}, naming);
  check(!is_stream(output), "-: standard output takes one picture, not ", all.size(),
        " or a folder of them");
  return plan_folder_jobs(all, output, naming);
}

}  // namespace mini::infer
