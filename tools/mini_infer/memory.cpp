#include "tools/mini_infer/memory.h"

#include <algorithm>
#include <fstream>
#include <malloc.h>
#include <unistd.h>

#include "tensor/allocator.h"
#include "tensor/limits.h"

namespace mini::infer {
namespace {

std::size_t page_size() { return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)); }

// What the process has in memory now (proc(5): the second number of statm, in pages).
std::size_t resident_bytes() {
  std::size_t all = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> all >> resident;
  return resident * page_size();
}

}  // namespace

std::size_t default_memory_limit() { return allowed_memory() / 2; }

std::int64_t bytes_to_read(std::size_t limit) {
  constexpr std::size_t least = 16'000'000;
  const std::size_t taken = resident_bytes();
  return static_cast<std::int64_t>(limit > taken + least ? limit - taken : least);
}

void keep_memory_tight() {
  // glibc gives blocks of at least this many bytes back at once. Left alone, it raises the bound to
  // the largest block freed so far, up to 32 MiB, and keeps smaller ones.
  mallopt(M_MMAP_THRESHOLD, 1 << 20);
}

MemoryLimit set_memory_limit(std::size_t bytes) {
  constexpr std::size_t reserve = 8'000'000;  // stacks of threads, small blocks
  const MemoryStats tensors = allocator({}).stats();
  const std::size_t in_tensors = tensors.live + tensors.cached;
  const std::size_t outside = std::max(resident_bytes(), in_tensors) - in_tensors + reserve;
  allocator({}).set_total_limit(std::max(bytes, outside) - outside);
  return {.bytes = bytes, .outside = outside};
}

}  // namespace mini::infer
