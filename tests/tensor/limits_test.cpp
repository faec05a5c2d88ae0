// The limits of control groups, read from made-up trees.
#include "tensor/limits.h"

#include <cmath>
#include <fstream>
#include <gtest/gtest.h>
#include <limits>
#include <string>

namespace mini {
namespace {
namespace fs = std::filesystem;

constexpr std::size_t unlimited = std::numeric_limits<std::size_t>::max();

class Limits : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = fs::temp_directory_path() / "mini_limits_XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
  }
  void TearDown() override { fs::remove_all(root_); }
  void write(const std::string& path, const std::string& text) const {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  void expect(double processors, std::size_t memory) const {
    const detail::CgroupLimits limits = detail::cgroup_limits(root_);
    EXPECT_EQ(limits.processors, processors);
    EXPECT_EQ(limits.memory, memory);
  }

  fs::path root_;
};

TEST_F(Limits, WithoutGroupsThereAreNone) { expect(INFINITY, unlimited); }

TEST_F(Limits, OfVersionTwoTheStrictestGroupCounts) {
  write("proc/self/cgroup", "0::/jobs/train\n");
  write("sys/fs/cgroup/cgroup.controllers", "cpu memory\n");
  write("sys/fs/cgroup/jobs/cpu.max", "150000 100000\n");
  write("sys/fs/cgroup/jobs/memory.max", "8000000000\n");
  write("sys/fs/cgroup/jobs/train/cpu.max", "max 100000\n");
  write("sys/fs/cgroup/jobs/train/memory.max", "2000000000\n");
  expect(1.5, 2'000'000'000);
}

// In a container the mount point is the container's group, and the path may be the host's.
TEST_F(Limits, OfAContainerTheMountPointCounts) {
  write("proc/self/cgroup", "0::/../../host/path\n");
  write("sys/fs/cgroup/cpu.max", "200000 100000\n");
  write("sys/fs/cgroup/memory.max", "max\n");
  expect(2, unlimited);
}

TEST_F(Limits, VersionOneHasAFolderForEachController) {
  write("proc/self/cgroup", "4:memory:/box\n3:cpu,cpuacct:/box\n2:pids:/box\n");
  write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  write("sys/fs/cgroup/memory/box/memory.limit_in_bytes", "500000000\n");
  write("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
  write("sys/fs/cgroup/cpu/box/cpu.cfs_quota_us", "50000\n");
  write("sys/fs/cgroup/cpu/box/cpu.cfs_period_us", "100000\n");
  expect(0.5, 500'000'000);
}

TEST_F(Limits, NonsenseIsNoLimit) {
  write("proc/self/cgroup", "nonsense\n0::\n::::\n0::/a\n");
  write("sys/fs/cgroup/a/cpu.max", "100000\n");
  write("sys/fs/cgroup/cpu.max", "0 0\n");
  write("sys/fs/cgroup/a/memory.max", "lots\n");
  expect(INFINITY, unlimited);
}

TEST(MachineLimits, ThisProcessMayUseSomething) {
  EXPECT_GE(allowed_processors(), 1);
  EXPECT_GT(allowed_memory(), std::size_t{1} << 20);
}

}  // namespace
}  // namespace mini
