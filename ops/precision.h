// The precision in which a GPU multiplies float32 numbers in matmul, conv2d and dense_block.
// Operands, results and sums are always float32; before a product, operands are
//   full       used as they are
//   tf32       rounded to 10 bits of mantissa, the format of tensor cores
//   bfloat16   rounded to 7 bits; a dense block also stores its features in bfloat16
// The CPU always computes in full precision.
#pragma once

#include <cstdint>

namespace mini::ops {

enum class Products : std::uint8_t { full, tf32, bfloat16 };

// Sets the precision for the whole process, initially full. Call it before the work it should
// affect.
void set_products(Products products);
Products products();

}  // namespace mini::ops
