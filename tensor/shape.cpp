#include "tensor/shape.h"

#include <algorithm>
#include <ostream>

#include "tensor/error.h"

namespace mini {

Shape::Shape(std::initializer_list<std::int64_t> extents)
    : Shape(std::span<const std::int64_t>(extents.begin(), extents.size())) {}

Shape::Shape(std::span<const std::int64_t> extents) {
  for (const std::int64_t extent : extents) push_back(extent);
}

void Shape::push_back(std::int64_t extent) {
  check(rank_ < max_rank, "shape: more than ", max_rank, " dimensions");
  extents_[static_cast<std::size_t>(rank_++)] = extent;
}

bool Shape::operator==(const Shape& other) const {
  return std::equal(begin(), end(), other.begin(), other.end());
}

std::int64_t Shape::numel() const {
  std::int64_t product = 1;
  bool overflow = false;
  bool empty = false;
  for (const std::int64_t extent : *this) {
    check(extent >= 0, "shape: negative extent in ", *this);
    empty |= extent == 0;
    overflow |= __builtin_mul_overflow(product, extent, &product);
  }
  if (empty) return 0;
  check(!overflow, "shape: ", *this, " has more elements than 63 bits can count");
  return product;
}

std::ostream& operator<<(std::ostream& out, const Shape& shape) {
  out << '[';
  for (int i = 0; i < shape.rank(); ++i) out << (i > 0 ? "," : "") << shape[i];
  return out << ']';
}

Shape contiguous_strides(const Shape& shape) {
  Shape strides = shape;
  std::int64_t step = 1;
  for (int i = shape.rank() - 1; i >= 0; --i) {
    strides[i] = step;
    // This overflows only where numel() throws, or where the tensor is empty and the stride never
    // used.
    (void)__builtin_mul_overflow(step, std::max<std::int64_t>(shape[i], 1), &step);
  }
  return strides;
}

DimOrder memory_order(const Shape& shape, const Shape& strides) {
  DimOrder order;
  for (int dim = shape.rank() - 1; dim >= 0; --dim) {
    if (shape[dim] == 1) continue;
    int place = order.count++;
    for (; place > 0; --place) {  // insertion sort: stable, at most eight dimensions
      const int before = order.dims[static_cast<std::size_t>(place - 1)];
      if (strides[before] <= strides[dim]) break;
      order.dims[static_cast<std::size_t>(place)] = before;
    }
    order.dims[static_cast<std::size_t>(place)] = dim;
  }
  return order;
}

Shape broadcast_shapes(const Shape& a, const Shape& b, const char* op) {
  const Shape& longer = a.rank() >= b.rank() ? a : b;
  const Shape& shorter = a.rank() >= b.rank() ? b : a;
  Shape result = longer;
  const int shift = longer.rank() - shorter.rank();
  for (int i = 0; i < shorter.rank(); ++i) {
    std::int64_t& extent = result[i + shift];
    if (extent == 1) extent = shorter[i];
    check(shorter[i] == extent || shorter[i] == 1, op, ": shapes ", a, " and ", b,
          " do not broadcast (extents must be equal or 1)");
  }
  return result;
}

int normalize_dim(int dim, int rank, const char* op) {
  check(dim >= -rank && dim < rank, op, ": dimension ", dim,
        " is out of range for a tensor of rank ", rank);
  return dim < 0 ? dim + rank : dim;
}

}  // namespace mini
