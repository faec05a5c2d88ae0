// The learning rate as a pure function of the step, so that a run resumed at any step has the same
// rate.
//
//   multistep:  base · gamma^(number of milestones <= step)
//   cosine:     eta_min + weight·(base - eta_min)·(1 + cos(π·t/period))/2, t steps into the period
//               (SGDR; Loshchilov & Hutter, ICLR 2017)
//   trapezoid:  base; in the last `decay` steps of the run
//               eta_min + (base - eta_min)·(1 - √(t/decay)), t steps into them. So a run can go on from
//               any step before them, and end whenever it is told to (A. Hägele et al., "Scaling Laws and
//               Compute-Optimal Training Beyond Fixed Training Durations", NeurIPS 2024)
// During the first `warmup` steps the rate is further multiplied by (step+1)/warmup.
#pragma once

#include <cstdint>
#include <vector>

namespace mini::train {

enum class ScheduleType { multistep, cosine, trapezoid };

struct ScheduleOptions {
  ScheduleType type = ScheduleType::multistep;
  // multistep
  std::vector<std::int64_t> milestones{};  // ascending; the rate changes at the step itself
  double gamma = 0.5;
  // cosine: lengths in steps; after the last one the rate stays at eta_min
  std::vector<std::int64_t> periods{};
  std::vector<double> restart_weights{};  // one a period; empty: all 1
  double eta_min = 0;                     // trapezoid: where the run ends
  // trapezoid
  std::int64_t decay = 0;  // steps
  std::int64_t end = 0;    // the length of the run

  std::int64_t warmup = 0;  // steps
};

// Throws, naming the option, when the options make no sense.
void validate(const ScheduleOptions& options);

// For step 0, 1, 2, ...
double learning_rate(const ScheduleOptions& options, double base, std::int64_t step);

}  // namespace mini::train
