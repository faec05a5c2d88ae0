// How much memory mini_infer may take, and how much it takes.
#pragma once

#include <cstddef>

#include "infer/scaler.h"

namespace mini::infer {

// Half of what the machine has.
std::size_t default_memory_limit();

// Makes freed memory go back to the system, so that what the process holds is what it uses. To be
// called before the first allocation of size.
void keep_memory_tight();

// The limit for a scaler that will be used from now on. Also limits what the allocator keeps for
// reuse.
MemoryLimit set_memory_limit(std::size_t bytes);

}  // namespace mini::infer
