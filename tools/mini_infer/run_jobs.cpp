#include "tools/mini_infer/run_jobs.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fmt/core.h>
#include <future>
#include <iterator>
#include <set>
#include <unistd.h>

#include "tensor/error.h"
#include "tensor/text.h"
#include "tools/mini_infer/memory.h"

namespace mini::infer {
namespace fs = std::filesystem;
namespace {

io::Bytes read_standard_input(std::size_t most) {
  io::Bytes bytes;
  std::byte part[1 << 16];
  for (ssize_t count = 0; (count = ::read(STDIN_FILENO, part, sizeof part)) != 0;) {
    check(count > 0, "-: standard input cannot be read");
    bytes.insert(bytes.end(), part, part + count);
    check(bytes.size() <= most, "-: standard input holds more than the memory limit allows");
  }
  return bytes;
}

// The line that shows how far the work is, on a terminal only.
class Progress {
 public:
  explicit Progress(std::size_t total) : total_(total) {
    shown_ = total > 1 && ::isatty(STDERR_FILENO) != 0;
  }
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void clear() const {
    if (shown_ && drawn_) fmt::print(stderr, "\r{:40}\r", "");
  }
  void draw(std::size_t done) {
    if (!shown_) return;
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
    const long left = std::lround(seconds / double(done) * double(total_ - done));
    fmt::print(stderr, "{}/{} images, ETA {}:{:02}", done, total_, left / 60, left % 60);
    std::fflush(stderr);
    drawn_ = true;
  }

 private:
  std::size_t total_;
  bool shown_ = false, drawn_ = false;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

// Makes the folder; refuses one that a link takes out of the output folder.
void prepare_folder(const Job& job, std::set<fs::path>& prepared) {
  if (is_stream(job.output)) return;
  const fs::path folder = job.output.has_parent_path() ? job.output.parent_path() : ".";
  if (!prepared.insert(folder).second) return;
  fs::create_directories(folder);
  if (!job.root.empty()) {
    const fs::path real = fs::canonical(folder), root = fs::canonical(job.root);
    const auto [end, ignored] = std::mismatch(root.begin(), root.end(), real.begin(), real.end());
    check(end == root.end(), folder.string(), ": is a link out of the output folder ",
          job.root.string(), "; remove it");
  }
  io::remove_stale_temporaries(folder);
}

class Runner {
 public:
  Runner(const std::vector<Job>& jobs, const ModelOptions& limits, const Stages& stages)
      : jobs_(jobs), limits_(limits), stages_(stages), progress_(jobs.size()) {
    small_ = host_limit(limits) / 8;
    ahead_ = limits;
    ahead_.max_bytes = static_cast<std::int64_t>(small_);
  }

  int run() {
    for (std::size_t i = 0; i < jobs_.size(); ++i) {
      try {
        prepare_folder(jobs_[i], prepared_);
        begin_write(i, work(i, take_input(i)));
      } catch (const std::exception& error) {
        failed(i, error.what());
      }
    }
    end_write();
    progress_.clear();
    if (failed_.empty()) return 0;
    if (jobs_.size() > 1) {
      fmt::print(stderr, "mini_infer: {} of {} images failed:\n", failed_.size(), jobs_.size());
      std::sort(failed_.begin(), failed_.end());
      for (const std::size_t i : failed_)
        fmt::print(stderr, "  {}\n", printable(jobs_[i].input.string()));
    }
    return failed_.size() == jobs_.size() ? 1 : 2;
  }

 private:
  // The image of job i; begins to read the one after it.
  Input take_input(std::size_t i) {
    Input input;
    bool read = false;
    if (next_.valid()) {
      try {
        input = next_.get();
        read = true;
      } catch (const std::exception&) {  // for want of memory perhaps; told if it fails alone, too
      }
    }
    if (!read) {
      end_write();
      input = stages_.read(jobs_[i], limits_);
    }
    if (i + 1 < jobs_.size())
      next_ = std::async(std::launch::async,
                         [this, &job = jobs_[i + 1]] { return stages_.read(job, ahead_); });
    progress_.clear();
    for (const std::string& notice : input.notices) tell(jobs_[i].input, notice);
    return input;
  }

  // Once more with nothing else in memory, where it fails beside the others.
  Output work(std::size_t i, Input input) {
    if (next_.valid() || writing_.valid()) {
      try {
        return stages_.work(jobs_[i], input);
      } catch (const std::exception&) {
        end_write();
        if (next_.valid()) next_.wait();
        next_ = {};
      }
    }
    return stages_.work(jobs_[i], std::move(input));
  }

  void begin_write(std::size_t i, Output output) {
    end_write();
    written_ = i;
    const auto way = output.bytes <= small_ ? std::launch::async : std::launch::deferred;
    writing_ = std::async(way, std::move(output.write));
    if (way == std::launch::deferred) end_write();
  }

  void end_write() {
    if (!writing_.valid()) return;
    try {
      const std::string line = writing_.get();
      progress_.clear();
      if (!line.empty())
        fmt::print(is_stream(jobs_[written_].output) ? stderr : stdout, "{}\n", line);
      std::fflush(stdout);
      done();
    } catch (const std::exception& error) {
      failed(written_, error.what());
    }
  }

  void failed(std::size_t i, const char* reason) {
    progress_.clear();
    fmt::print(stderr, "mini_infer: {}\n", printable(reason));
    failed_.push_back(i);
    done();
  }
  void done() { progress_.draw(++done_); }

  const std::vector<Job>& jobs_;
  const ModelOptions& limits_;
  const Stages& stages_;
  ModelOptions ahead_{};   // the limits for reading beside the work
  std::size_t small_ = 0;  // bytes that may wait
  Progress progress_;
  std::set<fs::path> prepared_;
  std::future<Input> next_;
  std::future<std::string> writing_;
  std::size_t written_ = 0, done_ = 0;
  std::vector<std::size_t> failed_;
};

}  // namespace

void tell(const fs::path& path, const std::string& text) {
  fmt::print(stderr, "mini_infer: {}: {}\n", printable(path.string()), printable(text));
}

Input read_input(const fs::path& path, const ModelOptions& limits, bool native) {
  Input input;
  io::ReadOptions options = read_options(limits);
  options.notices = &input.notices;
  options.metadata = &input.metadata;
  options.native = native;
  if (!is_stream(path)) {
    input.image = io::read_image(path, options);
    return input;
  }
  const io::Bytes bytes = read_standard_input(static_cast<std::size_t>(options.max_bytes));
  try {
    input.image = io::decode(bytes, options);
  } catch (const Error& error) {
    fail("-: ", error.what());
  }
  return input;
}

int run_jobs(const std::vector<Job>& jobs, const ModelOptions& limits, const Stages& stages) {
  return Runner(jobs, limits, stages).run();
}

}  // namespace mini::infer
