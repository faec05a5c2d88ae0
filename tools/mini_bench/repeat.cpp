#include "tools/mini_bench/repeat.h"

#include <fmt/format.h>
#include <iostream>
#include <sys/resource.h>

#include "tensor/allocator.h"
#include "tensor/parallel.h"
#include "tools/mini_bench/measure.h"

namespace mini::bench {
namespace {

// Highest resident memory of the process so far, in bytes.
double resident_peak() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) * 1024;
}

}  // namespace

void repeat(const char* name, double gflop, const CommonOptions& common,
            const RepeatOptions& options, const std::function<void()>& work) {
  Allocator& memory = allocator(common.device);
  // A captured pass takes its memory once and for all: its peak is that of the capture.
  const bool captured = options.captured;
  if (options.on_request) {
    for (std::string line; std::getline(std::cin, line);) {
      if (!captured) memory.reset_peak();
      const std::size_t live = memory.stats().live;
      const Measurement one = measure(name, gflop, 0, 1, work, common.device);
      const double peak = common.device.is_cpu() ? peak_gflops(max_threads()) : 0;
      std::cout << nlohmann::json{{"seconds", one.seconds},
                                  {"cpu_seconds", one.cpu_seconds},
                                  {"gflop", gflop},
                                  {"peak_gflops", peak},
                                  {"peak_bytes", memory.stats().peak},
                                  {"live_bytes", live},
                                  {"resident_bytes", resident_peak()}}
                       .dump()
                << std::endl;
    }
    return;
  }
  work();
  memory.reset_peak();
  for (int i = 0; captured && i < 3; ++i) work();
  const std::size_t live = memory.stats().live;
  const std::uint64_t before = memory.stats().system_allocations;
  const Measurement row = measure(name, gflop, 1, common.runs, work, common.device);
  const MemoryStats stats = memory.stats();
  report({row},
         {{"command", name},
          {"peak_bytes", stats.peak},
          {"live_bytes", live},
          {"resident_bytes", resident_peak()},
          {"system_allocations_while_measured", stats.system_allocations - before}},
         common.json, common.device);
  if (common.json != "-")
    fmt::print(
        "tensor memory: {:.1f} MB between runs, {:.1f} MB more at the peak; resident: {:.1f} MB; "
        "the "
        "system was asked for memory {} times\n",
        static_cast<double>(live) * 1e-6, static_cast<double>(stats.peak - live) * 1e-6,
        resident_peak() * 1e-6, stats.system_allocations - before);
}

}  // namespace mini::bench
