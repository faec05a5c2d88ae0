// The pooled allocator: freed blocks are kept and handed out again, so that a steady training step
// asks the system for nothing. Its counters are exact: tests and benchmarks rely on them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>

#include "tensor/device.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace mini {

// All in bytes, of blocks as handed out (sizes rounded up to 64).
struct MemoryStats {
  std::size_t live = 0;                  // in tensors now
  std::size_t peak = 0;                  // highest `live` since the last reset_peak()
  std::size_t cached = 0;                // freed, kept for reuse
  std::uint64_t system_allocations = 0;  // times the system was asked
  std::uint64_t requests = 0;            // times a tensor asked
};

struct Block {
  void* data = nullptr;
  std::size_t bytes = 0;  // what the block holds, at least what was asked for
};

// The tensor that a block is for.
struct Contents {
  Shape shape;
  DType dtype = DType::uint8;
};

// Told of every block that comes and goes (tensor/memory_profile.h). Called under the allocator's
// lock, by whatever thread asks for memory or gives it back: it must not use the allocator.
class AllocationObserver {
 public:
  virtual ~AllocationObserver() = default;
  // It begins: so many bytes are live already, in blocks it was not told of.
  virtual void attached(std::size_t live) noexcept = 0;
  virtual void allocated(Block block, const Contents* contents) noexcept = 0;
  virtual void released(Block block) noexcept = 0;
  // The counter `peak` is what is live now: it has just risen, or was reset.
  virtual void at_peak() noexcept = 0;
};

class Allocator {
 public:
  Allocator() = default;
  Allocator(const Allocator&) = delete;
  Allocator& operator=(const Allocator&) = delete;
  virtual ~Allocator() = default;

  // 64-byte aligned, uninitialised. Throws Error, with the statistics, when there is no memory.
  // `contents`, if known, is for the observer.
  Block allocate(std::size_t bytes, const Contents* contents = nullptr);
  void release(Block block) noexcept;

  MemoryStats stats() const;
  // Bytes that nobody has taken, this process or another.
  virtual std::size_t available() const = 0;
  void reset_peak();
  // Gives every cached block back to the system.
  void trim();
  // Freed blocks beyond this many cached bytes go back to the system at once.
  void set_cache_limit(std::size_t bytes);
  // Cached blocks go back to the system rather than that live and cached ones together exceed this.
  // Live ones alone may: who wants a bound keeps below it, and counts an eighth of every block as
  // lost, which is what a block from the cache may waste.
  void set_total_limit(std::size_t bytes);
  // Blocks kept apart, for work that is replayed on the addresses it was captured with: while a pool
  // is in use, memory comes from it or from the system, and what is released goes into it. What it
  // holds goes back to the allocator's cache when it is gone.
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
  void use_pool(Pool* pool);  // nullptr: no longer

  // From now on this observer is told, or none (nullptr); there can be one at a time. Resets the
  // peak.
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
