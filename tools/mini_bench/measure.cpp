#include "tools/mini_bench/measure.h"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <fmt/format.h>
#include <numeric>

#include "io/file.h"
#include "ops/peak.h"
#include "tensor/isa.h"
#include "tensor/parallel.h"
#include "tensor/queue.h"
#include "tensor/version.h"

namespace mini::bench {
namespace {

double wall() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double cpu() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

}  // namespace

Measurement measure(const std::string& name, double gflop, int warm_up, int runs,
                    const std::function<void()>& work, Device device) {
  for (int i = 0; i < warm_up; ++i) work();
  synchronize(device);
  std::vector<double> walls, cpus;
  for (int i = 0; i < runs; ++i) {
    const double wall_before = wall(), cpu_before = cpu();
    work();
    synchronize(device);
    walls.push_back(wall() - wall_before);
    cpus.push_back(cpu() - cpu_before);
  }
  return {name, median(walls), median(cpus), gflop, runs};
}

double peak_gflops(int threads) {
  constexpr std::int64_t rounds = 2'000'000;
  std::vector<std::int64_t> done(static_cast<std::size_t>(threads));
  double best = 0;
  for (int repeat = 0; repeat < 5; ++repeat) {
    const double before = wall();
    parallel_for(threads, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i)
        done[static_cast<std::size_t>(i)] = ops::multiply_adds(rounds);
    });
    const double seconds = wall() - before;
    const auto count = std::accumulate(done.begin(), done.end(), std::int64_t{0});
    best = std::max(best, 2e-9 * static_cast<double>(count) / seconds);
  }
  return best;
}

void report(const std::vector<Measurement>& rows, nlohmann::json details, const std::string& json,
            Device device) {
  const int threads = max_threads();
  const double peak = device.is_cpu() ? peak_gflops(threads) : 0;
  details["mini"] = version();
  details["device"] = to_string(device);
  details["instruction_set"] = cpu::name_of(cpu::isa());
  details["threads"] = threads;
  details["peak_gflops"] = peak;
  for (const Measurement& row : rows)
    details["measurements"].push_back({{"name", row.name},
                                       {"seconds", row.seconds},
                                       {"cpu_seconds", row.cpu_seconds},
                                       {"gflop", row.gflop},
                                       {"runs", row.runs}});
  if (json == "-") return write_json(details, json);
  fmt::print("{:<34}{:>12}{:>12}{:>10}{:>10}{:>9}\n", "", "wall ms", "cpu ms", "GFLOP", "GFLOP/s",
             "of peak");
  for (const Measurement& row : rows) {
    fmt::print("{:<34}{:>12.2f}{:>12.2f}", row.name, row.seconds * 1e3, row.cpu_seconds * 1e3);
    if (row.gflop > 0) {
      const double rate = row.gflop / row.seconds;
      fmt::print("{:>10.2f}{:>10.1f}", row.gflop, rate);
      if (peak > 0) fmt::print("{:>8.0f}%", 100 * rate / peak);
    }
    fmt::print("\n");
  }
  if (peak > 0)
    fmt::print("peak of multiply-adds: {:.1f} GFLOP/s on {} thread{}, {}\n", peak, threads,
               threads == 1 ? "" : "s", cpu::name_of(cpu::isa()));
  write_json(details, json);
}

void write_json(const nlohmann::json& report, const std::string& json) {
  if (json == "-")
    fmt::print("{}\n", report.dump(1));
  else if (!json.empty())
    io::write_file_atomically(json, report.dump(1) + "\n");
}

}  // namespace mini::bench
