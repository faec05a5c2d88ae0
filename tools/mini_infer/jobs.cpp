#include "tools/mini_infer/jobs.h"

#include <fmt/core.h>
#include <map>

#include "infer/images.h"
#include "io/image.h"
#include "tensor/error.h"

namespace mini::infer {
namespace fs = std::filesystem;
namespace {

std::vector<Job> checked(std::vector<Job> jobs) {
  std::map<fs::path, fs::path> writer;
  for (const Job& job : jobs) {
    std::error_code ignored;
    check(!fs::equivalent(job.input, job.output, ignored), job.input.string(),
          ": would be overwritten by its own result; choose another output");
    const auto [first, added] = writer.emplace(job.output.lexically_normal(), job.input);
    check(added, first->second.string(), " and ", job.input.string(), " would both be written to ",
          job.output.string());
  }
  return jobs;
}

}  // namespace

std::vector<Job> plan_folder_jobs(const std::vector<fs::path>& inputs, const fs::path& folder,
                                  const std::string& extension) {
  check(!fs::exists(folder) || fs::is_directory(folder), folder.string(),
        ": is a file, a folder is needed for the results");
  std::vector<Job> jobs;
  for (const fs::path& input : inputs)
    for (const fs::path& image : find_images({input})) {
      const fs::path name =
          fs::is_directory(input) ? image.lexically_relative(input) : image.filename();
      jobs.push_back({image, (folder / name).replace_extension(extension)});
    }
  return checked(std::move(jobs));
}

std::vector<Job> plan_jobs(const std::vector<fs::path>& inputs, const fs::path& output,
                           const std::string& extension) {
  const bool to_folder = inputs.size() > 1 || fs::is_directory(inputs.front()) ||
                         fs::is_directory(output) || output.filename().empty();
  if (to_folder) return plan_folder_jobs(inputs, output, extension);
  return checked({{inputs.front(), output}});
}

void tell(const fs::path& path, const std::string& text) {
  fmt::print(stderr, "mini_infer: {}: {}\n", printable(path.string()), printable(text));
}

Input read_input(const fs::path& path) {
  std::vector<std::string> notices;
  Input input;
  input.image = io::read_image(path, {.notices = &notices, .metadata = &input.metadata});
  for (const std::string& notice : notices) tell(path, notice);
  return input;
}

int run_jobs(const std::vector<Job>& jobs, const std::function<void(const Job&)>& work) {
  std::size_t failed = 0;
  for (const Job& job : jobs) {
    try {
      if (job.output.has_parent_path()) fs::create_directories(job.output.parent_path());
      work(job);
    } catch (const std::exception& error) {
      fmt::print(stderr, "mini_infer: {}\n", printable(error.what()));
      ++failed;
    }
  }
  if (failed > 0 && jobs.size() > 1)
    fmt::print(stderr, "mini_infer: {} of {} images failed\n", failed, jobs.size());
  return failed > 0 ? 1 : 0;
}

}  // namespace mini::infer
