// Does jobs one after the other, of which reading the next and writing the last run beside the work.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "io/image.h"
#include "tools/mini_infer/jobs.h"
#include "tools/mini_infer/model.h"

namespace mini::infer {

// Says something about a file on stderr.
void tell(const std::filesystem::path& path, const std::string& text);

struct Input {
  Tensor image{};
  io::Metadata metadata{};
  std::vector<std::string> notices{};  // not told yet
};
// A file, or standard input, within the limits. With `native` the picture has the file's own mode.
Input read_input(const std::filesystem::path& path, const ModelOptions& limits,
                 bool native = false);

// What a job has made.
struct Output {
  std::function<std::string()> write;  // may be called on another thread; returns the line to print
  std::size_t bytes = 0;               // of memory that it holds
};

struct Stages {
  // May be called on another thread, while work() runs, with a smaller limit. What fails there is
  // done again alone.
  std::function<Input(const Job&, const ModelOptions&)> read;
  std::function<Output(const Job&, Input)> work;
};

// Makes the folders of the outputs, tells notices, prints lines, and shows the progress where stderr is a
// terminal. A job that fails is told on stderr and does not stop the others. Returns the exit code:
// 0; 1 if all failed; 2 if some did. At most one picture waits before the work and one behind it, and
// both only while they are small beside the memory limit.
int run_jobs(const std::vector<Job>& jobs, const ModelOptions& limits, const Stages& stages);

}  // namespace mini::infer
