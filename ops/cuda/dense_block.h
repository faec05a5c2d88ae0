// A setting of the dense block on a GPU; ops/dense_block.h has the ops.
#pragma once

#include <cstdint>

namespace mini::cuda {

// Sets the bytes of features that a dense block holds at a time if they are not kept; initially 128
// MiB. This changes memory and speed, but no result.
void set_dense_block_bytes(std::int64_t bytes);

}  // namespace mini::cuda
