// Four instructions of the PTX ISA (sections "cp.async", "ldmatrix" and "mma") as functions. The 32
// threads of a warp execute each together. With g = l / 4 and t = l % 4, lane l holds in 32-bit
// registers:
//
//                     m16n8k8, TF32               m16n8k16, bfloat16 (two to a register)
//   a (16 x k)   a0   row g,     column t         row g,     columns 2t, 2t+1
//                a1   row g + 8, column t         row g + 8, columns 2t, 2t+1
//                a2   row g,     column t + 4     row g,     columns 2t+8, 2t+9
//                a3   row g + 8, column t + 4     row g + 8, columns 2t+8, 2t+9
//   b (k x 8)    b0   row t,     column g         rows 2t, 2t+1,   column g
//                b1   row t + 4, column g         rows 2t+8, 2t+9, column g
//   c (16 x 8)   c0, c1  row g,     columns 2t, 2t+1     (float32 in both)
//                c2, c3  row g + 8, columns 2t, 2t+1
//
// So a row of a is 32 bytes. In both formats a0 and a1 are its word t, a2 and a3 its word t + 4, so
// the same code can load both.
#pragma once

#include <cstdint>

#include "tensor/dtype.h"
#ifdef __CUDACC__
#include <cuda_runtime.h>
#else
#include "tensor_core.h"
#endif

namespace mini::cuda {

using Word = std::uint32_t;

// An address in shared memory, in the form that instructions take; a pointer would be converted at
// every use.
#ifdef __CUDACC__
using SharedAddress = Word;
__device__ inline SharedAddress shared_address(const void* place) {
  return static_cast<Word>(__cvta_generic_to_shared(place));
}
#else
using SharedAddress = std::byte*;
inline SharedAddress shared_address(std::byte* place) { return place; }
#endif

// Begins to copy 16 bytes from global to shared memory, both aligned; if not `valid`, writes zeros
// and reads nothing. The bytes have arrived after wait_copies for the group that the next
// commit_copies() closes; other threads need a barrier, too.
__device__ inline void copy_async(SharedAddress to, const void* from, bool valid) {
#ifdef __CUDACC__
  const Word bytes = valid ? 16 : 0;
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(bytes)
               : "memory");
#else
  emulator::copy_async(to, from, valid ? 16 : 0);
#endif
}

__device__ inline void commit_copies() {
#ifdef __CUDACC__
  asm volatile("cp.async.commit_group;" ::: "memory");
#else
  emulator::commit_copies();
#endif
}

// Waits until all but the latest `pending` groups of this thread have arrived.
template <int pending>
__device__ void wait_copies() {
#ifdef __CUDACC__
  asm volatile("cp.async.wait_group %0;" ::"n"(pending) : "memory");
#else
  emulator::wait_copies(pending);
#endif
}

// Loads four matrices of 8 rows of 16 bytes. Lane l passes the address of row l % 8 of matrix l / 8
// and receives, in r[i], word t of row g of matrix i.
__device__ inline void load_matrices(Word (&r)[4], const void* row) {
#ifdef __CUDACC__
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(row)));
#else
  emulator::load_matrices(r, row, false);
#endif
}

// The same for 16-bit numbers, transposed: r[i] holds number g of rows 2t and 2t + 1 of matrix i.
__device__ inline void load_matrices_transposed(Word (&r)[4], const void* row) {
#ifdef __CUDACC__
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(row)));
#else
  emulator::load_matrices(r, row, true);
#endif
}

// c += a b.
__device__ inline void multiply_tf32(float (&c)[4], const Word (&a)[4], const Word (&b)[2]) {
#ifdef __CUDACC__
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
  emulator::multiply_tf32(c, a, b);
#endif
}

__device__ inline void multiply_bfloat16(float (&c)[4], const Word (&a)[4], const Word (&b)[2]) {
#ifdef __CUDACC__
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
  emulator::multiply_bfloat16(c, a, b);
#endif
}

// Rounds to 10 bits of mantissa, ties away from zero. Tensor cores ignore the other 13 bits, so an
// unrounded number would be truncated.
__device__ inline float round_to_tf32(float value) {
#ifdef __CUDACC__
  Word bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(value));
  return __uint_as_float(bits);
#else
  return emulator::round_to_tf32(value);
#endif
}

}  // namespace mini::cuda
