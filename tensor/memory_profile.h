// The memory profile: which blocks were alive when an allocator's counter `peak` was reached, each
// with its tensor's shape and the functions that made it.
//
// The profile holds the blocks that are alive now and those freed since the peak; a higher peak
// clears the latter. So its size does not grow with the time it watches. An allocator without a
// profile pays one comparison per request.
#pragma once

#include <cstddef>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "tensor/allocator.h"

namespace mini {

class MemoryProfile final : private AllocationObserver {
 public:
  // Watches `allocator` from now on and resets its peak; reset_peak() starts the search again. Of
  // blocks that are already alive, it knows the sum only.
  explicit MemoryProfile(Allocator& allocator);
  ~MemoryProfile() override;
  MemoryProfile(const MemoryProfile&) = delete;
  MemoryProfile& operator=(const MemoryProfile&) = delete;

  struct Entry {
    std::size_t bytes = 0;     // as the allocator counts them
    bool is_tensor = false;    // false: a kernel's workspace
    Contents contents;         // if is_tensor
    std::vector<void*> stack;  // return addresses, innermost first
    std::size_t number = 0;    // in the order of allocation
  };
  struct Peak {
    std::size_t bytes = 0;       // sum of the entries and `unknown`: the allocator's `peak`
    std::size_t unknown = 0;     // in blocks allocated before the profile
    std::vector<Entry> entries;  // largest first, then oldest first
  };
  Peak peak() const;

 private:
  void attached(std::size_t live) noexcept override;
  void allocated(Block block, const Contents* contents) noexcept override;
  void released(Block block) noexcept override;
  void at_peak() noexcept override;

  Allocator& allocator_;
  mutable std::mutex mutex_;  // taken under the allocator's lock, never around it
  std::unordered_map<void*, Entry> live_;
  std::vector<Entry> freed_since_peak_;
  std::size_t unknown_ = 0, unknown_at_peak_ = 0;
  std::size_t next_number_ = 0, number_at_peak_ = 0;
};

// Names the functions of mini on a stack, at most `count`, innermost first: "ops::unary < exp <
// models::Net::forward". It leaves out Tensor, Storage and Allocator, which only pass requests on,
// and functions without a symbol: those of unnamed namespaces, and all of a program linked without
// -rdynamic.
std::string origin(const std::vector<void*>& stack, int count = 3);

}  // namespace mini
