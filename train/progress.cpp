// The progress of a run on the screen. See train/progress.h.
#include "train/progress.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <ostream>

#include "tensor/error.h"
#include "tensor/text.h"

namespace mini::train {
namespace {

constexpr auto redraw_interval = std::chrono::milliseconds(100);
constexpr int bar_width = 20;
constexpr int least_columns = 60;  // beside a bar

template <class... Values>
std::string formatted(const char* format, Values... values) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), format, values...);
  return text.data();
}

}  // namespace

std::string duration_text(double seconds) {
  const auto whole = static_cast<long long>(std::clamp(seconds, 0.0, 3.6e9));
  const long long hours = whole / 3600, minutes = whole / 60 % 60;
  if (hours > 0) return formatted("%lld:%02lld:%02lld", hours, minutes, whole % 60);
  return formatted("%lld:%02lld", minutes, whole % 60);
}

std::string bar_text(double fraction, int width, bool blocks) {
  static constexpr std::array<const char*, 8> eighths{" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const int filled = static_cast<int>(std::clamp(fraction, 0.0, 1.0) * width * 8);
  std::string bar;
  if (!blocks) {
    bar.assign(static_cast<std::size_t>(filled / 8), '#');
    bar.resize(static_cast<std::size_t>(width), '.');
    return bar;
  }
  for (int i = 0; i < width; ++i) {
    const int part = std::clamp(filled - 8 * i, 0, 8);
    bar += part == 8 ? "█" : eighths[static_cast<std::size_t>(part)];
  }
  return bar;
}

Progress::Progress(std::ostream& out, Screen screen, std::int64_t first, std::int64_t total,
                   int processes)
    : out_(out),
      screen_(screen),
      processes_(processes),
      first_(first),
      total_(total),
      start_(Clock::now()) {}

Progress::~Progress() {
  if (line_shown_) out_ << "\n" << std::flush;
}

void Progress::update(std::int64_t step, const Values& values, bool report) {
  if (screen_.columns == 0) {
    if (report) out_ << line(step, values) << "\n" << std::flush;
    return;
  }
  const auto now = Clock::now();
  if (now - drawn_at_ < redraw_interval && step < total_) return;
  drawn_at_ = now;
  const double fraction =
      static_cast<double>(step) / static_cast<double>(std::max<std::int64_t>(total_, 1));
  const std::string percent = formatted("%3d%%  ", static_cast<int>(100 * fraction));
  // Keeps the line shorter than the terminal: a wrapped line could not be drawn over.
  const bool wide = screen_.columns >= least_columns;
  const int room = screen_.columns - 1 - (wide ? bar_width + 1 : 0);
  clear_line();
  if (wide) out_ << bar_text(fraction, bar_width, screen_.blocks) << ' ';
  out_ << (percent + line(step, values)).substr(0, static_cast<std::size_t>(std::max(room, 0)))
       << std::flush;
  line_shown_ = true;
}

void Progress::message(const std::string& text) {
  clear_line();
  out_ << printable(text) << "\n" << std::flush;
}

void Progress::pause() { paused_at_ = Clock::now(); }
void Progress::resume() { start_ += Clock::now() - paused_at_; }

std::string Progress::line(std::int64_t step, const Values& values) const {
  const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
  const double rate = static_cast<double>(step - first_) / std::max(seconds, 1e-9);
  std::string text = concat_text(step, "/", total_, formatted("  %.3g step/s", rate));
  if (processes_ > 1) text += concat_text("  ", processes_, " processes");
  if (rate > 0) text += "  ETA " + duration_text(static_cast<double>(total_ - step) / rate);
  for (const auto& [name, value] : values) text += "  " + name + formatted(" %.4g", value);
  return text;
}

// Carriage return, then ANSI's "erase in line" (ECMA-48).
void Progress::clear_line() {
  if (line_shown_) out_ << "\r\x1b[K";
  line_shown_ = false;
}

}  // namespace mini::train
