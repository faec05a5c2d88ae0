// The peak that mini_bench measures the kernels of the CPU against.
#pragma once

#include <cstdint>

namespace mini::ops {

// Multiplies and adds float32 numbers as fast as the instruction set in use can, on this thread.
// Returns the number of multiply-adds, which is proportional to `rounds`.
std::int64_t multiply_adds(std::int64_t rounds);

}  // namespace mini::ops
