#include "train/schedule.h"

#include <gtest/gtest.h>

#include "tests/support/support.h"

namespace mini::train {
namespace {

TEST(Schedule, MultistepHalvesAtItsMilestones) {
  const ScheduleOptions options{.milestones = {2, 4}};
  const std::vector<double> expected = {2e-4, 2e-4, 1e-4, 1e-4, 5e-5, 5e-5};
  for (std::size_t step = 0; step < expected.size(); ++step)
    EXPECT_DOUBLE_EQ(learning_rate(options, 2e-4, static_cast<std::int64_t>(step)), expected[step]);
}

TEST(Schedule, CosineRestartsWithItsWeights) {
  const ScheduleOptions options{
      .type = ScheduleType::cosine, .periods = {4, 8}, .restart_weights = {1, 0.5}, .eta_min = 0.1};
  EXPECT_DOUBLE_EQ(learning_rate(options, 1.1, 0), 1.1);
  EXPECT_DOUBLE_EQ(learning_rate(options, 1.1, 2), 0.6);
  EXPECT_DOUBLE_EQ(learning_rate(options, 1.1, 4), 0.6);  // a restart at half the rate
  EXPECT_DOUBLE_EQ(learning_rate(options, 1.1, 8), 0.35);
  EXPECT_DOUBLE_EQ(learning_rate(options, 1.1, 12), 0.1);
  EXPECT_DOUBLE_EQ(learning_rate(options, 1.1, 1000), 0.1);
}

TEST(Schedule, TrapezoidFallsAtTheEnd) {
  ScheduleOptions options{
      .type = ScheduleType::trapezoid, .eta_min = 0.1, .decay = 4, .end = 10, .warmup = 2};
  EXPECT_NO_THROW(validate(options));
  EXPECT_DOUBLE_EQ(learning_rate(options, 1.1, 0), 0.55);
  EXPECT_DOUBLE_EQ(learning_rate(options, 1.1, 1), 1.1);
  EXPECT_DOUBLE_EQ(learning_rate(options, 1.1, 6), 1.1);
  EXPECT_DOUBLE_EQ(learning_rate(options, 1.1, 7), 0.6);  // 1 - the root of a quarter
  EXPECT_DOUBLE_EQ(learning_rate(options, 1.1, 10), 0.1);
  EXPECT_DOUBLE_EQ(learning_rate(options, 1.1, 11), 0.1);
  options.decay = 11;
  EXPECT_EQ(test::error_of([&] { validate(options); }),
            "schedule: trapezoid falls in the last 11 steps of 10; set decay from 1 to that");
}

TEST(Schedule, WarmsUpLinearly) {
  const ScheduleOptions options{.milestones = {6}, .warmup = 4};
  EXPECT_DOUBLE_EQ(learning_rate(options, 1, 0), 0.25);
  EXPECT_DOUBLE_EQ(learning_rate(options, 1, 2), 0.75);
  EXPECT_DOUBLE_EQ(learning_rate(options, 1, 3), 1);
  EXPECT_DOUBLE_EQ(learning_rate(options, 1, 5), 1);
  EXPECT_DOUBLE_EQ(learning_rate(options, 1, 6), 0.5);
}

TEST(Schedule, RefusesWhatMakesNoSense) {
  EXPECT_EQ(test::error_of([] {
              validate({.milestones = {4, 2}});
            }),
            "schedule: milestones must ascend");
  EXPECT_EQ(test::error_of([] { validate({.type = ScheduleType::cosine}); }),
            "schedule: cosine needs at least one period");
  EXPECT_EQ(test::error_of([] {
              validate({.type = ScheduleType::cosine, .periods = {1, 2}, .restart_weights = {1}});
            }),
            "schedule: 1 restart_weights for 2 periods; give one each");
  EXPECT_EQ(test::error_of([] { validate({.gamma = 0}); }),
            "schedule: gamma must be in (0,1], got 0");
}

}  // namespace
}  // namespace mini::train
