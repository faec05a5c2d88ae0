// The log of a run: one JSON object a line, for other programs to read.
//   {"event": "train", "step": 100, "loss": 12.5, "lr": 0.0002}
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace mini::train {

using LogValue = std::variant<std::int64_t, double, std::string>;
using LogRecord = std::vector<std::pair<std::string, LogValue>>;

class JsonLog {
 public:
  // Opens the file to append. First removes all records from the first on whose "step" lies beyond
  // `last_step`, since a run resumed there writes them again, and a line cut off by a crash.
  JsonLog(const std::filesystem::path& path, std::int64_t last_step);

  // {"event": event, "step": step, ...}; numbers that are not finite become null. On return
  // the operating system has the line.
  void write(const std::string& event, std::int64_t step, const LogRecord& record = {});

 private:
  std::filesystem::path path_;
  std::ofstream file_;
};

}  // namespace mini::train
