// What can be set of the dense block on the device; ops/dense_block.h has the ops.
#pragma once

#include <cstdint>

namespace mini::cuda {

// How many bytes of features a dense block holds at a time when nobody keeps them; 128 MiB at first.
// Changes memory and speed, no result.
void set_dense_block_bytes(std::int64_t bytes);

}  // namespace mini::cuda
