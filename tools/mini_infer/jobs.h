// Which files are read and which are written, known before the work begins.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "io/metadata.h"
#include "tensor/tensor.h"

namespace mini::infer {

struct Job {
  std::filesystem::path input, output;
};

// One input file and an `output` that is no folder: that pair. Otherwise `output` is a folder (it
// need not exist), and each image, also those in input folders, goes into it under its own name
// with `extension` (".png"). Throws when two would be written to one place, or one onto itself.
std::vector<Job> plan_jobs(const std::vector<std::filesystem::path>& inputs,
                           const std::filesystem::path& output, const std::string& extension);
// The same with a folder as the output in any case.
std::vector<Job> plan_folder_jobs(const std::vector<std::filesystem::path>& inputs,
                                  const std::filesystem::path& folder,
                                  const std::string& extension);

// Says something about a file on stderr.
void tell(const std::filesystem::path& path, const std::string& text);

// io::read_image; what it notices is told.
struct Input {
  Tensor image;
  io::Metadata metadata;
};
Input read_input(const std::filesystem::path& path);

// Does the jobs in order; the folder of an output is made before the job is done. A job that fails
// is reported on stderr and does not stop the others. Returns the exit code: 1 if any failed.
int run_jobs(const std::vector<Job>& jobs, const std::function<void(const Job&)>& work);

}  // namespace mini::infer
