// Running a whole network again and again, and reporting time and memory.
#pragma once

#include <functional>

#include "tools/mini_bench/commands.h"

namespace mini::bench {

struct RepeatOptions {
  bool captured = false;    // the work replays captured passes, which take their memory once
  bool on_request = false;  // one run for each line of standard input, answered by a line of JSON
};
// `gflop`: multiplications and additions of the convolutions; 0: not counted.
void repeat(const char* name, double gflop, const CommonOptions& common,
            const RepeatOptions& options, const std::function<void()>& work);

}  // namespace mini::bench
