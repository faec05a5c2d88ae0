// What of the machine this process may use: its processors and its memory, as the affinity of the
// process and the control groups (cgroups) that containers and job schedulers set up allow.
#pragma once

#include <cstddef>
#include <filesystem>

namespace mini {

// Processors that the process may use, at least 1. Half a processor counts as one.
int allowed_processors();

// Bytes of memory that the process may use: the machine's, or less where a control group says so.
std::size_t allowed_memory();

namespace detail {
struct CgroupLimits {
  double processors;   // of time per time; infinity: no limit
  std::size_t memory;  // bytes; the largest number: no limit
};
// The strictest limits of a process's control group and the groups that it lies in, versions 1 and 2
// (cgroups(7)). `root` holds proc/self/cgroup and sys/fs/cgroup.
CgroupLimits cgroup_limits(const std::filesystem::path& root);
}  // namespace detail

}  // namespace mini
