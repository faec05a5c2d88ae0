// How a GPU multiplies numbers of float32 in matmul, conv2d and dense_block. What goes in and comes
// out is float32 in any case, and so are the sums.
//   full       as they are
//   tf32       rounded to 10 bits of mantissa, which is what tensor cores take
//   bfloat16   rounded to 7 bits; a dense block keeps its features in bfloat16, too
// The CPU always computes in full.
#pragma once

#include <cstdint>

namespace mini::ops {

enum class Products : std::uint8_t { full, tf32, bfloat16 };

// For the whole process; full at first. To be set before any work that it should hold for.
void set_products(Products products);
Products products();

}  // namespace mini::ops
