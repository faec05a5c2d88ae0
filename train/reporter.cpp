#include "train/reporter.h"

#include <cstdio>
#include <ctime>
#include <ostream>

#include "io/file.h"
#include "train/checkpoint.h"

namespace mini::train {
namespace {
namespace fs = std::filesystem;

// "jpeg 75: 31.02 dB (bicubic 29.80)"
std::string validation_text(const infer::Evaluation& table) {
  std::string text;
  char numbers[64];
  for (std::size_t i = 0; i + 1 < table.rows.size(); i += 2) {
    const infer::EvaluationRow &ours = table.rows[i], &bicubic = table.rows[i + 1];
    std::snprintf(numbers, sizeof numbers, "%.3f dB (bicubic %.3f)", ours.mean.psnr_y,
                  bicubic.mean.psnr_y);
    text +=
        concat_text(i == 0 ? "" : ", ", io::name_of(ours.format), " ", ours.quality, ": ", numbers);
  }
  return text;
}

}  // namespace

Reporter::Reporter(ReporterOptions options)
    : options_(std::move(options)),
      means_(options_.window),
      nowhere_(std::make_unique<std::ostream>(nullptr)) {
  std::ostream& out = options_.out != nullptr ? *options_.out : *nowhere_;
  progress_ = std::make_unique<Progress>(out, options_.screen, options_.first_step, options_.steps,
                                         options_.processes);
  if (options_.folder.empty()) return;
  // A new run starts a new log: a run that ended before its first checkpoint may have left one.
  log_ = std::make_unique<JsonLog>(options_.folder / "log.jsonl",
                                   options_.resumed ? options_.first_step : std::int64_t{-1},
                                   options_.validated);
  if (options_.log.tensorboard)
    board_ =
        std::make_unique<TensorBoard>(options_.folder / "tensorboard", options_.first_step + 1);
}

Reporter::~Reporter() = default;

void Reporter::message(const std::string& text) { progress_->message(text); }

void Reporter::event(const std::string& name, std::int64_t step, const LogRecord& record) {
  if (!log_) return;
  LogRecord whole = record;
  // Of the whole run: what the log told when this process opened it, and what this process took.
  whole.emplace_back("cpu_seconds",
                     log_->cpu_seconds() + static_cast<double>(std::clock()) / CLOCKS_PER_SEC);
  log_->write(name, step, whole);
}

void Reporter::step(std::int64_t step, const Means::Values& values, double lr) {
  means_.add(values);
  const Means::Values means = means_.means();
  const bool line_due = step % options_.log.every == 0 || step == options_.steps;
  progress_->update(step, means, line_due);
  if (!line_due) return;
  LogRecord record(means.begin(), means.end());
  record.emplace_back("lr", lr);
  event("train", step, record);
  if (board_) {
    for (const auto& [name, value] : means) board_->scalar("train/" + name, value, step);
    board_->scalar("train/lr", lr, step);
  }
  means_ = {};
}

void Reporter::validation(std::int64_t step, const Validation& result) {
  LogRecord record;
  for (const infer::EvaluationRow& row : result.table.rows) {
    const std::string key =
        concat_text("psnr_y_", row.method, "_", io::name_of(row.format), row.quality);
    record.emplace_back(key, row.mean.psnr_y);
    if (board_) board_->scalar("validation/" + key, row.mean.psnr_y, step);
  }
  event("validation", step, record);
  message(concat_text("step ", step, ", PSNR-Y ", validation_text(result.table)));
  if (options_.folder.empty() || result.pictures.empty()) return;

  const fs::path folder = options_.folder / "pictures" / checkpoint_path("", step).stem();
  fs::create_directories(folder);
  for (const Picture& picture : result.pictures) {
    const io::Bytes png = io::encode(picture.image, io::ImageFormat::png, 100);
    io::write_file_atomically(folder / (picture.name + ".png"), png);
    if (board_)
      board_->image("validation/" + picture.name, png, picture.image.size(0), picture.image.size(1),
                    step);
  }
}

}  // namespace mini::train
