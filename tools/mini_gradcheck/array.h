// Array: plain values for the references. It shares nothing with mini's ops except Shape, so that
// references are independent of them.
#pragma once

#include <vector>

#include "tensor/shape.h"

namespace mini::suite {

struct Array {
  Shape shape;
  std::vector<double> values;  // row-major

  Array() = default;
  explicit Array(const Shape& extents, double fill = 0)
      : shape(extents), values(static_cast<std::size_t>(extents.numel()), fill) {}

  double& operator[](const Shape& index) { return values[flat(index)]; }
  double operator[](const Shape& index) const { return values[flat(index)]; }

  // The element that broadcasting puts at `index` of a larger shape.
  double broadcast(const Shape& index) const {
    Shape own = shape;
    for (int d = 0; d < shape.rank(); ++d)
      own[d] = shape[d] == 1 ? 0 : index[d + index.rank() - shape.rank()];
    return (*this)[own];
  }
  // The element, or 0 if the last two indices are outside.
  double padded(const Shape& index) const {
    for (int d = shape.rank() - 2; d < shape.rank(); ++d)
      if (index[d] < 0 || index[d] >= shape[d]) return 0;
    return (*this)[index];
  }

 private:
  std::size_t flat(const Shape& index) const {
    std::int64_t position = 0;
    for (int d = 0; d < shape.rank(); ++d) position = position * shape[d] + index[d];
    return static_cast<std::size_t>(position);
  }
};

using Arrays = std::vector<Array>;

// Calls f(index) for every index of `shape`, in row-major order.
template <class F>
void for_each(const Shape& shape, const F& f) {
  const std::int64_t count = shape.numel();
  for (std::int64_t flat = 0; flat < count; ++flat) {
    Shape index = shape;
    std::int64_t rest = flat;
    for (int d = shape.rank() - 1; d >= 0; --d) {
      index[d] = rest % shape[d];
      rest /= shape[d];
    }
    f(index);
  }
}

// The array whose element at `index` is f(index).
template <class F>
Array generate(const Shape& shape, const F& f) {
  Array result(shape);
  for_each(shape, [&](const Shape& index) { result[index] = f(index); });
  return result;
}

}  // namespace mini::suite
