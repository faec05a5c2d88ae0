#include "io/element_type.h"

#include <bit>
#include <cstring>

namespace mini::io {

// Elements are copied as they lie in the file.
static_assert(std::endian::native == std::endian::little, "mini's file formats are little endian");

namespace {

template <class From>
void widen(std::span<const std::byte> bytes, std::int64_t* to) {
  for (std::size_t i = 0; i < bytes.size() / sizeof(From); ++i) {
    From value;
    std::memcpy(&value, bytes.data() + i * sizeof(From), sizeof(From));  // may be unaligned
    to[i] = std::int64_t{value};
  }
}

}  // namespace

std::size_t element_size(ElementType type) {
  switch (type) {
    case ElementType::float64:
    case ElementType::int64:
      return 8;
    case ElementType::float32:
    case ElementType::int32:
    case ElementType::uint32:
      return 4;
    case ElementType::float16:
    case ElementType::bfloat16:
    case ElementType::int16:
    case ElementType::uint16:
      return 2;
    case ElementType::uint8:
    case ElementType::boolean:
    case ElementType::int8:
      return 1;
  }
  fail("element_size: unknown type");
}

DType dtype_of(ElementType type) {
  switch (type) {
    case ElementType::float32:
      return DType::float32;
    case ElementType::float64:
      return DType::float64;
    case ElementType::float16:
      return DType::float16;
    case ElementType::bfloat16:
      return DType::bfloat16;
    case ElementType::uint8:
    case ElementType::boolean:
      return DType::uint8;
    default:
      return DType::int64;
  }
}

void convert_elements(std::span<const std::byte> bytes, ElementType type, const Tensor& to) {
  check(to.is_contiguous() && to.dtype() == dtype_of(type) &&
            bytes.size() == static_cast<std::size_t>(to.numel()) * element_size(type),
        "convert_elements: ", bytes.size(), " bytes do not fill ", to.dtype(), to.shape());
  if (bytes.empty()) return;
  switch (type) {
    case ElementType::int8:
      return widen<std::int8_t>(bytes, to.data<std::int64_t>());
    case ElementType::int16:
      return widen<std::int16_t>(bytes, to.data<std::int64_t>());
    case ElementType::int32:
      return widen<std::int32_t>(bytes, to.data<std::int64_t>());
    case ElementType::uint16:
      return widen<std::uint16_t>(bytes, to.data<std::int64_t>());
    case ElementType::uint32:
      return widen<std::uint32_t>(bytes, to.data<std::int64_t>());
    default:
      std::memcpy(to.raw_data(), bytes.data(), bytes.size());
  }
}

}  // namespace mini::io
