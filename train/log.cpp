// The JSON-lines log of a run. See train/log.h.
#include "train/log.h"

#include <nlohmann/json.hpp>
#include <sstream>

#include "io/file.h"
#include "tensor/error.h"

namespace mini::train {
namespace {

struct Kept {
  std::string lines;
  double cpu_seconds = 0;  // of the last
};

// The lines to keep, up to the first that is cut off, is no record, or belongs to a later step.
Kept kept_of(const std::string& text, std::int64_t last_step, std::int64_t validated) {
  Kept kept;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line) && !lines.eof();) {
    const auto record = nlohmann::json::parse(line, nullptr, false);
    if (!record.is_object() || !record.contains("step") || !record["step"].is_number_integer())
      break;
    const auto step = record["step"].get<std::int64_t>();
    if (step > last_step) break;
    const std::string event = record.value("event", "");
    if (event != "start" && event != "train" && (event != "validation" || step > validated))
      continue;
    kept.lines += line + "\n";
    if (record.contains("cpu_seconds") && record["cpu_seconds"].is_number())
      kept.cpu_seconds = record["cpu_seconds"].get<double>();
  }
  return kept;
}

}  // namespace

JsonLog::JsonLog(const std::filesystem::path& path, std::int64_t last_step, std::int64_t validated)
    : path_(path) {
  if (std::filesystem::exists(path)) {
    const io::Bytes bytes = io::read_file(path);
    const std::string text(io::as_text(bytes));
    const Kept kept = kept_of(text, last_step, validated);
    if (kept.lines != text) io::write_file_atomically(path, kept.lines);
    empty_ = kept.lines.empty();
    cpu_seconds_ = kept.cpu_seconds;
  }
  file_.open(path, std::ios::binary | std::ios::app);
  check(file_.good(), "log: cannot write ", path.string());
}

void JsonLog::write(const std::string& event, std::int64_t step, const LogRecord& record) {
  nlohmann::ordered_json line{{"event", event}, {"step", step}};
  for (const auto& [name, value] : record)
    std::visit([&, &key = name](const auto& held) { line[key] = held; }, value);
  file_ << line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << "\n"
        << std::flush;
  check(file_.good(), "log: cannot write ", path_.string(), " (disk full?)");
}

}  // namespace mini::train
