// How much memory mini_infer may take, and how much it takes.
#pragma once

#include <cstddef>
#include <cstdint>

#include "infer/scaler.h"

namespace mini::infer {

// Half of what the machine or the container has.
std::size_t default_memory_limit();

// Makes freed memory go back to the system, so that what the process holds is what it uses. To be
// called before the first allocation of size.
void keep_memory_tight();

// The bytes that reading an image may take below that limit, beside what the process takes now. Small
// images are read in any case.
std::int64_t bytes_to_read(std::size_t limit);

// The limit for a scaler that will be used from now on. Also limits what the allocator keeps for
// reuse.
MemoryLimit set_memory_limit(std::size_t bytes);

}  // namespace mini::infer
