// The pooled allocator. It keeps freed blocks and hands them out again, so that a steady training
// step makes no system allocations. Its counters are exact: tests and benchmarks rely on them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>

#include "tensor/device.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace mini {

// Byte counts refer to blocks as handed out, with sizes rounded up to 64.
struct MemoryStats {
  std::size_t live = 0;                  // held by tensors now
  std::size_t peak = 0;                  // highest `live` since the last reset_peak()
  std::size_t cached = 0;                // freed, but kept for reuse
  std::uint64_t system_allocations = 0;  // requests passed on to the system
  std::uint64_t requests = 0;            // calls of allocate
};

struct Block {
  void* data = nullptr;
  std::size_t bytes = 0;  // capacity, at least the size requested
};

// The tensor that a block is for.
struct Contents {
  Shape shape;
  DType dtype = DType::uint8;
};

// An observer is told of every block that is allocated or released (tensor/memory_profile.h). The
// allocator calls it under its lock, from the thread that asks, so an observer must not use the
// allocator.
class AllocationObserver {
 public:
  virtual ~AllocationObserver() = default;
  // Observation begins. `live` bytes are in blocks that were allocated earlier.
  virtual void attached(std::size_t live) noexcept = 0;
  virtual void allocated(Block block, const Contents* contents) noexcept = 0;
  virtual void released(Block block) noexcept = 0;
  // `live` is the new peak: it has just risen above the old one, or the peak was reset.
  virtual void at_peak() noexcept = 0;
};

class Allocator {
 public:
  Allocator() = default;
  Allocator(const Allocator&) = delete;
  Allocator& operator=(const Allocator&) = delete;
  virtual ~Allocator() = default;

  // Returns an uninitialised block, aligned to 64 bytes. Throws Error, with the statistics, when
  // there is no memory. `contents`, if known, is passed on to the observer.
  Block allocate(std::size_t bytes, const Contents* contents = nullptr);
  void release(Block block) noexcept;

  MemoryStats stats() const;
  // Bytes of the device's memory that no process has taken.
  virtual std::size_t available() const = 0;
  void reset_peak();
  // Returns all cached blocks to the system.
  void trim();
  // From now on, a freed block that would raise `cached` above this limit is returned to the
  // system.
  void set_cache_limit(std::size_t bytes);
  // The allocator returns its cached blocks to the system before live and cached bytes together
  // exceed this limit. Live bytes alone may exceed it: it does not refuse requests. A caller who
  // keeps below a bound must count an eighth of every block as lost, since a cached block may be
  // that much larger than the request.
  void set_total_limit(std::size_t bytes);
  // A private cache, for a graph whose replays use the addresses it was captured with. While a pool
  // is in use, blocks come from it or from the system, and released blocks go into it. Its
  // destructor moves its blocks to the allocator's cache.
  class Pool {
   public:
    explicit Pool(Allocator& allocator) : allocator_(allocator) {}
    ~Pool();
    Pool(const Pool&) = delete;
    Pool& operator=(const Pool&) = delete;

   private:
    friend Allocator;
    Allocator& allocator_;
    std::multimap<std::size_t, void*> cache_;
  };
  void use_pool(Pool* pool);  // nullptr: back to the allocator's own cache

  // Sets the observer, or removes it (nullptr); there is at most one. Resets the peak.
  void observe(AllocationObserver* observer);

 protected:
  virtual void* system_allocate(std::size_t bytes) = 0;  // nullptr when there is no memory
  virtual void system_free(void* data, std::size_t bytes) noexcept = 0;

 private:
  void trim_locked() noexcept;
  void reset_peak_locked();

  mutable std::mutex mutex_;
  std::multimap<std::size_t, void*> cache_;
  Pool* pool_ = nullptr;
  MemoryStats stats_;
  AllocationObserver* observer_ = nullptr;
  std::size_t cache_limit_ = std::size_t{4} << 30;
  std::size_t total_limit_ = SIZE_MAX;
};

// The allocator of a device, alive until the process ends.
Allocator& allocator(Device device);

}  // namespace mini
