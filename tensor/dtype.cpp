#include "tensor/dtype.h"

#include <ostream>

namespace mini {

std::size_t element_size(DType dtype) {
  return visit(dtype, [](auto type) { return sizeof(typename decltype(type)::type); });
}

std::string_view name_of(DType dtype) {
  switch (dtype) {
    case DType::float32:
      return "float32";
    case DType::float64:
      return "float64";
    case DType::float16:
      return "float16";
    case DType::bfloat16:
      return "bfloat16";
    case DType::uint8:
      return "uint8";
    case DType::int64:
      return "int64";
  }
  return "unknown";
}

std::ostream& operator<<(std::ostream& out, DType dtype) { return out << name_of(dtype); }

}  // namespace mini
