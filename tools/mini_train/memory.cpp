#include "tools/mini_train/memory.h"

#include <algorithm>
#include <fmt/core.h>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "tensor/memory_profile.h"

namespace mini {
namespace {

constexpr std::size_t rows = 10;  // of a table

std::string megabytes(std::size_t bytes) {
  return fmt::format("{:.1f} MB", static_cast<double>(bytes) * 1e-6);
}

// The resident memory of this process in bytes, or 0 where the system does not tell.
std::size_t resident_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmRSS:")) {
      std::size_t kilobytes = 0;
      std::istringstream(line.substr(6)) >> kilobytes;
      return kilobytes * 1024;
    }
  return 0;
}

struct Row {
  std::size_t bytes = 0, count = 1;
  std::string shape, dtype, made_in;
};

Row row_of(const MemoryProfile::Entry& entry) {
  const bool tensor = entry.is_tensor;
  return {.bytes = entry.bytes,
          .shape = tensor ? concat_text(entry.contents.shape) : "(kernel)",
          .dtype = tensor ? concat_text(entry.contents.dtype) : "",
          .made_in = origin(entry.stack)};
}

void print_rows(const std::vector<Row>& table, std::size_t all) {
  fmt::print("{:>14}{:>8}{:>7}  {:<20} {:<9} made in\n", "bytes", "share", "count", "shape",
             "dtype");
  for (std::size_t i = 0; i < std::min(rows, table.size()); ++i) {
    const Row& row = table[i];
    fmt::print("{:>14}{:>7.1f}%{:>7}  {:<20} {:<9} {}\n", row.bytes,
               100 * static_cast<double>(row.bytes) / static_cast<double>(all), row.count,
               row.shape, row.dtype, row.made_in);
  }
}

// Joins rows that differ only in their place in memory, and sorts them by their sums, largest first.
std::vector<Row> grouped(const std::vector<Row>& table) {
  std::map<std::string, Row> groups;
  for (const Row& row : table) {
    auto [group, inserted] = groups.try_emplace(row.shape + row.dtype + row.made_in, row);
    if (inserted) continue;
    group->second.bytes += row.bytes;
    ++group->second.count;
  }
  std::vector<Row> result;
  result.reserve(groups.size());
  for (const auto& [key, row] : groups) result.push_back(row);
  std::stable_sort(result.begin(), result.end(),
                   [](const Row& a, const Row& b) { return a.bytes > b.bytes; });
  return result;
}

}  // namespace

void print_memory_profile(const train::TrainConfig& config, train::TrainerOptions options) {
  const Device device = options.device;
  const MemoryProfile profile(
      allocator(device));  // made first, so that it sees the parameters, too
  options.write = false;
  train::Trainer trainer(config, std::move(options));
  const train::StepMemory step = trainer.measure_step();
  const MemoryProfile::Peak peak = profile.peak();

  fmt::print("one training step: {} x{}, batch {}, patch {}\n", trainer.network().name(),
             trainer.network().scale(), config.data.batch, config.data.patch);
  fmt::print("activation peak    {:>10}  above what was alive before the step\n",
             megabytes(step.peak - step.before));
  fmt::print("alive before it    {:>10}  parameters {}, optimiser state {}, batch and other {}\n",
             megabytes(step.before), megabytes(step.parameters), megabytes(step.optimizer),
             megabytes(step.before - step.parameters - step.optimizer));
  fmt::print("alive at the peak  {:>10}\n", megabytes(step.peak));
  fmt::print(
      "resident memory    {:>10}  of the whole process, {} of it freed and kept for reuse;\n"
      "{:31}in a run come the images kept in memory (data.cache_mb)\n",
      megabytes(resident_bytes()), megabytes(allocator(device).stats().cached), "");

  std::vector<Row> table;
  for (const MemoryProfile::Entry& entry : peak.entries) table.push_back(row_of(entry));
  fmt::print("\nThe ten largest of the {} tensors alive at the peak:\n", table.size());
  print_rows(table, peak.bytes);
  fmt::print("\nThe same, equals together:\n");
  print_rows(grouped(table), peak.bytes);
}

}  // namespace mini
