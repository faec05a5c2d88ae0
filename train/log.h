// The log of a run: one JSON object a line, for other programs to read.
//   {"event": "train", "step": 100, "loss": 12.5, "lr": 0.0002}
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace mini::train {

using LogValue = std::variant<std::int64_t, double, std::string>;
using LogRecord = std::vector<std::pair<std::string, LogValue>>;

class JsonLog {
 public:
  // Opens the file to append. First takes it back to what it was at `last_step`, `validated` being the
  // step of the last validation: removes the records of later steps and validations, since a run
  // resumed there writes them again, those of how it ended, and a line cut off by a crash. So the log
  // of a run that was resumed is that of one that never stopped.
  JsonLog(const std::filesystem::path& path, std::int64_t last_step,
          std::int64_t validated = std::numeric_limits<std::int64_t>::max());

  bool empty() const { return empty_; }  // when it was opened
  // The processor time that the last record told then, 0 where there was none.
  double cpu_seconds() const { return cpu_seconds_; }

  // {"event": event, "step": step, ...}; numbers that are not finite become null. On return
  // the operating system has the line.
  void write(const std::string& event, std::int64_t step, const LogRecord& record = {});

 private:
  std::filesystem::path path_;
  std::ofstream file_;
  bool empty_ = true;
  double cpu_seconds_ = 0;
};

}  // namespace mini::train
