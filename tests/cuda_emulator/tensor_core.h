// The operations of ops/cuda/tensor_core.cuh for the emulated device, by the layouts in the PTX
// ISA.
#pragma once

#include "emulator.h"
#include "round.h"

namespace mini::emulator {

using Word = std::uint32_t;

// A copy is made only in wait_copies, so that code without a necessary wait reads the old values.
void copy_async(void* to, const void* from, std::size_t bytes);  // fills up to 16 with zeros
void commit_copies();
void wait_copies(int pending);

void load_matrices(Word (&r)[4], const void* row, bool transposed);
void multiply_tf32(float (&c)[4], const Word (&a)[4], const Word (&b)[2]);
void multiply_bfloat16(float (&c)[4], const Word (&a)[4], const Word (&b)[2]);

}  // namespace mini::emulator
