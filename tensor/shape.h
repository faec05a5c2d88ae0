// Shape: up to eight extents, kept inline so that describing a tensor allocates nothing. The same
// type holds strides.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <span>

namespace mini {

inline constexpr int max_rank = 8;

class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<std::int64_t> extents);
  explicit Shape(std::span<const std::int64_t> extents);

  int rank() const { return rank_; }
  std::int64_t operator[](int dim) const { return extents_[static_cast<std::size_t>(dim)]; }
  std::int64_t& operator[](int dim) { return extents_[static_cast<std::size_t>(dim)]; }
  void push_back(std::int64_t extent);
  const std::int64_t* begin() const { return extents_.data(); }
  const std::int64_t* end() const { return extents_.data() + rank_; }
  bool operator==(const Shape& other) const;

  // The product of the extents, 1 for rank 0. Throws when it does not fit in 63 bits.
  std::int64_t numel() const;

 private:
  std::array<std::int64_t, max_rank> extents_{};
  int rank_ = 0;
};

std::ostream& operator<<(std::ostream& out, const Shape& shape);  // [1,5,9,9]

// Row-major strides, in elements.
Shape contiguous_strides(const Shape& shape);

// The dimensions of more than one element, innermost (smallest stride) first. Of equal strides, the
// last dimension comes first.
struct DimOrder {
  std::array<int, max_rank> dims{};
  int count = 0;
  const int* begin() const { return dims.data(); }
  const int* end() const { return dims.data() + count; }
};
DimOrder memory_order(const Shape& shape, const Shape& strides);

// NumPy's rule: shapes are aligned at the last dimension; extents must be equal or 1. Errors name
// `op`.
Shape broadcast_shapes(const Shape& a, const Shape& b, const char* op);

// Maps -rank..rank-1 to 0..rank-1; throws an Error that names `op` when out of range.
int normalize_dim(int dim, int rank, const char* op);

}  // namespace mini
