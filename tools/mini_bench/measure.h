// Timing for mini_bench: repeated runs, medians, a table and JSON.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tensor/device.h"

namespace mini::bench {

struct Measurement {
  std::string name;
  double seconds = 0;      // wall clock, median of the runs
  double cpu_seconds = 0;  // of all threads, median
  double gflop = 0;        // multiplications and additions of the convolutions; 0: not counted
  int runs = 0;
};

// Runs `work` `warm_up` times unmeasured, then `runs` times, each until `device` is done with it.
Measurement measure(const std::string& name, double gflop, int warm_up, int runs,
                    const std::function<void()>& work, Device device = {});

// Measures the peak in GFLOP/s, which multiply-adds reach that wait for nothing: the best of a few
// short runs on `threads` threads at once. A shared machine may reach less at another moment: measure it
// in the same run as what it is compared with.
double peak_gflops(int threads);

// Prints the measurements; those of the CPU with their share of the peak of all threads in use. JSON
// goes to `json` if that is not empty; "-" means standard output instead of the table.
void report(const std::vector<Measurement>& rows, nlohmann::json details, const std::string& json,
            Device device = {});

// Writes the report to `json` if that is not empty; "-" means standard output.
void write_json(const nlohmann::json& report, const std::string& json);

}  // namespace mini::bench
