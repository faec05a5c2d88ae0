// What ops/cuda/tensor_core.cuh needs of the emulated device: the same operations, by the layouts
// that the PTX ISA documents.
#pragma once

#include "emulator.h"
#include "round.h"

namespace mini::emulator {

using Word = std::uint32_t;

// Copies happen only when they are waited for, so that a missing wait reads what was there before.
void copy_async(void* to, const void* from, std::size_t bytes);  // the rest of 16 is zeros
void commit_copies();
void wait_copies(int pending);

void load_matrices(Word (&r)[4], const void* row, bool transposed);
void multiply_tf32(float (&c)[4], const Word (&a)[4], const Word (&b)[2]);
void multiply_bfloat16(float (&c)[4], const Word (&a)[4], const Word (&b)[2]);

}  // namespace mini::emulator
