#include "tensor/allocator.h"

#include <algorithm>
#include <cstdlib>
#include <unistd.h>

#include "tensor/backend.h"
#include "tensor/error.h"

namespace mini {
namespace {

constexpr std::size_t alignment = 64;  // a cache line, and the widest vector register

#ifndef __has_feature  // gcc says it by a macro, clang by this
#define __has_feature(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
constexpr bool pooled = false;  // so that AddressSanitizer sees the use of freed memory
#else
constexpr bool pooled = true;
#endif

class CpuAllocator final : public Allocator {
 public:
  std::size_t available() const override {
    return static_cast<std::size_t>(::sysconf(_SC_AVPHYS_PAGES)) *
           static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  }
  void* system_allocate(std::size_t bytes) override { return std::aligned_alloc(alignment, bytes); }
  void system_free(void* data, std::size_t) noexcept override { std::free(data); }
};

}  // namespace

Block Allocator::allocate(std::size_t bytes, const Contents* contents) {
  check(bytes <= SIZE_MAX / 2, "allocator: a request of ", bytes,
        " bytes exceeds the address space");
  const std::size_t wanted = std::max((bytes + alignment - 1) / alignment * alignment, alignment);
  const std::scoped_lock lock(mutex_);
  ++stats_.requests;
  Block block{nullptr, wanted};
  // The smallest cached block that fits, unless it would waste more than an eighth of itself.
  auto& cache = pool_ != nullptr ? pool_->cache_ : cache_;
  if (const auto hit = cache.lower_bound(wanted);
      hit != cache.end() && hit->first - wanted <= hit->first / 8) {
    block = {hit->second, hit->first};
    stats_.cached -= hit->first;
    cache.erase(hit);
  } else {
    ++stats_.system_allocations;
    const bool full = stats_.live + stats_.cached + wanted > total_limit_;
    if (full && pool_ == nullptr) trim_locked();
    block.data = system_allocate(wanted);
    if (block.data == nullptr && pool_ == nullptr) {
      trim_locked();
      block.data = system_allocate(wanted);
    }
    check(block.data != nullptr, "allocator: out of memory asking for ", wanted, " bytes (live ",
          stats_.live, ", peak ", stats_.peak, "); use a smaller batch, patch or image");
  }
  stats_.live += block.bytes;
  if (observer_ != nullptr) observer_->allocated(block, contents);
  if (stats_.live > stats_.peak) {
    stats_.peak = stats_.live;
    if (observer_ != nullptr) observer_->at_peak();
  }
  return block;
}

void Allocator::release(Block block) noexcept {
  if (block.data == nullptr) return;
  const std::scoped_lock lock(mutex_);
  stats_.live -= block.bytes;
  if (observer_ != nullptr) observer_->released(block);
  if (pool_ != nullptr || (pooled && stats_.cached + block.bytes <= cache_limit_)) {
    try {
      (pool_ != nullptr ? pool_->cache_ : cache_).emplace(block.bytes, block.data);
      stats_.cached += block.bytes;
      return;
    } catch (const std::bad_alloc&) {
      // No memory for the bookkeeping: give the block back instead.
    }
  }
  system_free(block.data, block.bytes);
}

Allocator::Pool::~Pool() {
  const std::scoped_lock lock(allocator_.mutex_);
  if (allocator_.pool_ == this) allocator_.pool_ = nullptr;
  allocator_.cache_.merge(cache_);
}

void Allocator::use_pool(Pool* pool) {
  const std::scoped_lock lock(mutex_);
  pool_ = pool;
}

MemoryStats Allocator::stats() const {
  const std::scoped_lock lock(mutex_);
  return stats_;
}

void Allocator::reset_peak() {
  const std::scoped_lock lock(mutex_);
  reset_peak_locked();
}

void Allocator::observe(AllocationObserver* observer) {
  const std::scoped_lock lock(mutex_);
  check(observer == nullptr || observer_ == nullptr,
        "allocator: it already has an observer; remove that first");
  observer_ = observer;
  if (observer_ != nullptr) observer_->attached(stats_.live);
  reset_peak_locked();
}

void Allocator::trim() {
  const std::scoped_lock lock(mutex_);
  trim_locked();
}

void Allocator::set_cache_limit(std::size_t bytes) {
  const std::scoped_lock lock(mutex_);
  cache_limit_ = bytes;
  if (stats_.cached > cache_limit_) trim_locked();
}

void Allocator::set_total_limit(std::size_t bytes) {
  const std::scoped_lock lock(mutex_);
  total_limit_ = bytes;
  if (stats_.live + stats_.cached > total_limit_) trim_locked();
}

void Allocator::reset_peak_locked() {
  stats_.peak = stats_.live;
  if (observer_ != nullptr) observer_->at_peak();
}

void Allocator::trim_locked() noexcept {
  for (const auto& [bytes, data] : cache_) {
    system_free(data, bytes);
    stats_.cached -= bytes;
  }
  cache_.clear();
}

Allocator& allocator(Device device) {
  // Never destroyed: tensors in static storage may outlive any order of destruction.
  static auto& cpu = *new CpuAllocator;
  if (device.is_cpu()) return cpu;
#ifdef MINI_CUDA
  return cuda::allocator(device.index);
#else
  fail_without_cuda();
#endif
}

}  // namespace mini
