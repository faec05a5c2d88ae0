// Shows a run's progress to the person who watches it.
//
// On a terminal one line that is drawn again and again:
//   ████████▌           42%  2100/5000  3.42 step/s  ETA 14:08  loss 81.3  l_back_rec 70.1
// Elsewhere (a file, a pipe) a plain line at each report.
#pragma once

#include <chrono>
#include <cstdint>
#include <iosfwd>
#include <string>
#include <utility>
#include <vector>

namespace mini::train {

// What `out` is.
struct Screen {
  int columns = 0;     // of the terminal; 0: it is none
  bool blocks = true;  // can show the blocks of a bar; otherwise the bar is made of #
};

class Progress {
 public:
  using Values = std::vector<std::pair<std::string, double>>;

  // Shows steps first..total, taken by `processes` processes together, on `out`.
  Progress(std::ostream& out, Screen screen, std::int64_t first, std::int64_t total,
           int processes = 1);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Called after `step` steps. Draws the live line, at most ten times a second; with `report` prints the
  // plain line.
  void update(std::int64_t step, const Values& values, bool report);
  // Prints a line that stays above the live one.
  void message(const std::string& text);
  // Time spent on something else (validation) does not count for the speed.
  void pause();
  void resume();

 private:
  using Clock = std::chrono::steady_clock;
  std::string line(std::int64_t step, const Values& values) const;
  void clear_line();

  std::ostream& out_;
  Screen screen_;
  int processes_;
  std::int64_t first_, total_;
  Clock::time_point start_, paused_at_, drawn_at_{};
  bool line_shown_ = false;
};

// "1:02:03", "2:03"; days as hours.
std::string duration_text(double seconds);
// A bar of `width` characters, in eighths of a character where it is of blocks. fraction in [0, 1].
std::string bar_text(double fraction, int width, bool blocks = true);

}  // namespace mini::train
