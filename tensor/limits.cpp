#include "tensor/limits.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <sched.h>
#include <sstream>
#include <string>
#include <unistd.h>

namespace mini {
namespace {
namespace fs = std::filesystem;

constexpr double no_processor_limit = std::numeric_limits<double>::infinity();
constexpr std::size_t no_memory_limit = std::numeric_limits<std::size_t>::max();

// The first number in a file, or `otherwise` where there is no file or no number, as in "max".
double number_in(const fs::path& file, double otherwise) {
  std::ifstream stream(file);
  double number = 0;
  return stream >> number ? number : otherwise;
}

// Version 2: cpu.max holds "quota period" in microseconds, or "max period".
double processors_of(const fs::path& group) {
  std::ifstream stream(group / "cpu.max");
  double quota = 0, period = 0;
  return stream >> quota >> period && quota > 0 && period > 0 ? quota / period : no_processor_limit;
}

// Version 1; a quota of -1 is no limit.
double processors_of_version_1(const fs::path& group) {
  const double quota = number_in(group / "cpu.cfs_quota_us", -1);
  const double period = number_in(group / "cpu.cfs_period_us", -1);
  return quota > 0 && period > 0 ? quota / period : no_processor_limit;
}

std::size_t memory_of(const fs::path& file) {
  const double bytes = number_in(file, -1);
  return bytes >= 0 && bytes < 1e18 ? static_cast<std::size_t>(bytes) : no_memory_limit;
}

// Calls visit(folder) for the group at `path` below the mount point and each group that it lies in.
// In a container the path may be that of the host, which is not there; the mount point itself is
// the container's group then.
template <class Visit>
void for_group_and_parents(const fs::path& mount, const std::string& path, const Visit& visit) {
  visit(mount);
  fs::path group = mount;
  for (const fs::path& part : fs::path(path).relative_path())
    if (part != ".." && fs::is_directory(group /= part)) visit(group);
}

}  // namespace

detail::CgroupLimits detail::cgroup_limits(const fs::path& root) {
  CgroupLimits limits{no_processor_limit, no_memory_limit};
  const fs::path mounts = root / "sys/fs/cgroup";
  std::ifstream groups(root / "proc/self/cgroup");
  // Lines are "number:controllers:path"; version 2 has one line, "0::path".
  for (std::string line; std::getline(groups, line);) {
    std::istringstream fields(line);
    std::string number, controllers, controller, path;
    if (!std::getline(fields, number, ':') || !std::getline(fields, controllers, ':') ||
        !std::getline(fields, path))
      continue;
    if (controllers.empty())
      for_group_and_parents(mounts, path, [&](const fs::path& group) {
        limits.processors = std::min(limits.processors, processors_of(group));
        limits.memory = std::min(limits.memory, memory_of(group / "memory.max"));
      });
    for (std::istringstream names(controllers); std::getline(names, controller, ',');) {
      if (controller == "cpu")
        for_group_and_parents(mounts / controller, path, [&](const fs::path& group) {
          limits.processors = std::min(limits.processors, processors_of_version_1(group));
        });
      if (controller == "memory")
        for_group_and_parents(mounts / controller, path, [&](const fs::path& group) {
          limits.memory = std::min(limits.memory, memory_of(group / "memory.limit_in_bytes"));
        });
    }
  }
  return limits;
}

int allowed_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  const int affinity = sched_getaffinity(0, sizeof set, &set) == 0
                           ? CPU_COUNT(&set)
                           : static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN));
  const double quota = std::ceil(detail::cgroup_limits("/").processors);
  return std::max(1, quota < affinity ? static_cast<int>(quota) : affinity);
}

std::size_t allowed_memory() {
  const auto machine = static_cast<std::size_t>(sysconf(_SC_PHYS_PAGES)) *
                       static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return std::min(machine, detail::cgroup_limits("/").memory);
}

}  // namespace mini
