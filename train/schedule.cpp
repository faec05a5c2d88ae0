#include "train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "tensor/error.h"

namespace mini::train {
namespace {

double multistep(const ScheduleOptions& options, double base, std::int64_t step) {
  const auto passed = std::upper_bound(options.milestones.begin(), options.milestones.end(), step) -
                      options.milestones.begin();
  return base * std::pow(options.gamma, static_cast<double>(passed));
}

double cosine(const ScheduleOptions& options, double base, std::int64_t step) {
  for (std::size_t i = 0; i < options.periods.size(); ++i) {
    const std::int64_t period = options.periods[i];
    if (step < period) {
      const double weight = options.restart_weights.empty() ? 1 : options.restart_weights[i];
      const double phase =
          std::numbers::pi * static_cast<double>(step) / static_cast<double>(period);
      return options.eta_min + weight * (base - options.eta_min) * (1 + std::cos(phase)) / 2;
    }
    step -= period;
  }
  return options.eta_min;
}

double trapezoid(const ScheduleOptions& options, double base, std::int64_t step) {
  const std::int64_t begin = options.end - options.decay;
  if (step < begin) return base;
  const double phase =
      std::min(1.0, static_cast<double>(step - begin) / static_cast<double>(options.decay));
  return options.eta_min + (base - options.eta_min) * (1 - std::sqrt(phase));
}

double full_rate(const ScheduleOptions& options, double base, std::int64_t step) {
  switch (options.type) {
    case ScheduleType::multistep:
      return multistep(options, base, step);
    case ScheduleType::cosine:
      return cosine(options, base, step);
    case ScheduleType::trapezoid:
      return trapezoid(options, base, step);
  }
  fail("schedule: no such type");
}

}  // namespace

void validate(const ScheduleOptions& options) {
  check(options.warmup >= 0, "schedule: warmup must not be negative, got ", options.warmup);
  if (options.type == ScheduleType::multistep) {
    check(options.gamma > 0 && options.gamma <= 1, "schedule: gamma must be in (0,1], got ",
          options.gamma);
    check(std::is_sorted(options.milestones.begin(), options.milestones.end()),
          "schedule: milestones must ascend");
    for (const std::int64_t milestone : options.milestones)
      check(milestone >= 0, "schedule: milestones must not be negative, got ", milestone);
    return;
  }
  check(options.eta_min >= 0, "schedule: eta_min must not be negative, got ", options.eta_min);
  if (options.type == ScheduleType::trapezoid) {
    check(options.decay > 0 && options.decay <= options.end,
          "schedule: trapezoid falls in the last ", options.decay, " steps of ", options.end,
          "; set decay from 1 to that");
    return;
  }
  check(!options.periods.empty(), "schedule: cosine needs at least one period");
  for (const std::int64_t period : options.periods)
    check(period > 0, "schedule: a period must be positive, got ", period);
  check(options.restart_weights.empty() || options.restart_weights.size() == options.periods.size(),
        "schedule: ", options.restart_weights.size(), " restart_weights for ",
        options.periods.size(), " periods; give one each");
}

double learning_rate(const ScheduleOptions& options, double base, std::int64_t step) {
  const double rate = full_rate(options, base, step);
  if (step >= options.warmup) return rate;
  return rate * static_cast<double>(step + 1) / static_cast<double>(options.warmup);
}

}  // namespace mini::train
