// The JSON-lines log of a run. See train/log.h.
#include "train/log.h"

#include <nlohmann/json.hpp>

#include "tensor/error.h"

namespace mini::train {
namespace {

// The bytes of the log before the first line that is cut off, is no record, or belongs to a step beyond
// last_step.
std::uintmax_t length_to_keep(const std::filesystem::path& path, std::int64_t last_step) {
  std::ifstream file(path, std::ios::binary);
  std::uintmax_t kept = 0;
  for (std::string line; std::getline(file, line) && !file.eof(); kept += line.size() + 1) {
    const auto record = nlohmann::json::parse(line, nullptr, false);
    if (!record.is_object() || !record.contains("step") || !record["step"].is_number_integer() ||
        record["step"].get<std::int64_t>() > last_step)
      break;
  }
  return kept;
}

}  // namespace

JsonLog::JsonLog(const std::filesystem::path& path, std::int64_t last_step) : path_(path) {
  if (std::filesystem::exists(path))
    std::filesystem::resize_file(path, length_to_keep(path, last_step));
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
