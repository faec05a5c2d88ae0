// What the kernels of the CPU are measured against (tools/mini_bench).
#pragma once

#include <cstdint>

namespace mini::ops {

// Does nothing but multiply and add, in the instruction set in use and as fast as it can, on this
// thread: `rounds` times a fixed number of float32. Returns the number of multiply-adds.
std::int64_t multiply_adds(std::int64_t rounds);

}  // namespace mini::ops
