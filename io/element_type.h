// Element types as foreign files have them, and how they become tensors. Types that mini does not
// compute with are widened where no value is lost.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "tensor/tensor.h"

namespace mini::io {

enum class ElementType : std::uint8_t {
  float32,
  float64,
  float16,
  bfloat16,
  uint8,
  int64,    // kept as they are
  boolean,  // -> uint8
  int8,
  int16,
  int32,
  uint16,
  uint32,  // -> int64
};

std::size_t element_size(ElementType type);  // bytes in the file
DType dtype_of(ElementType type);            // of the tensor it becomes

// Little-endian elements `bytes`, row-major, into a contiguous tensor as many elements long.
void convert_elements(std::span<const std::byte> bytes, ElementType type, const Tensor& to);

}  // namespace mini::io
