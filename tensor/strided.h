// StridedLoop visits the elements of several strided operands together. Every elementwise kernel
// and every copy uses it.
//
// The dimensions are sorted by the first operand's strides, and neighbours are merged where all
// operands allow it. So operands of the same memory order, whichever that is, become one long row.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "tensor/host_device.h"
#include "tensor/parallel.h"
#include "tensor/shape.h"

namespace mini {

template <int N>
struct StridedLoop {
  std::int64_t count = 1;  // number of elements
  int rank = 0;            // after merging; dimension 0 is the innermost
  std::array<std::int64_t, max_rank> extents{};
  std::array<std::array<std::int64_t, N>, max_rank> steps{};  // [dimension][operand], in elements

  // strides[k] are those of operand k, already expanded to `shape`.
  StridedLoop(const Shape& shape, const std::array<Shape, N>& strides) : count(shape.numel()) {
    for (const int dim : memory_order(shape, strides[0])) {
      std::array<std::int64_t, N> step{};
      for (std::size_t k = 0; k < N; ++k) step[k] = strides[k][dim];
      if (rank > 0 && continues(step)) {
        extents[static_cast<std::size_t>(rank - 1)] *= shape[dim];
        continue;
      }
      extents[static_cast<std::size_t>(rank)] = shape[dim];
      steps[static_cast<std::size_t>(rank)] = step;
      ++rank;
    }
    if (rank == 0) {
      rank = 1;
      extents[0] = 1;
      steps[0].fill(1);
    }
  }

  // The offset of element `index`, counted in the order of the loop, in each operand.
  template <class Index>
  MINI_HOST_DEVICE std::array<std::int64_t, N> offsets(Index index) const {
    std::array<std::int64_t, N> offset{};
    for (int d = 0; d < rank; ++d) {
      const auto extent = static_cast<Index>(extents[static_cast<std::size_t>(d)]);
      const Index place = d + 1 < rank ? index % extent : index;
      index /= extent;
      for (std::size_t k = 0; k < N; ++k)
        offset[k] += static_cast<std::int64_t>(place) * steps[static_cast<std::size_t>(d)][k];
    }
    return offset;
  }

  // Calls row(offsets, steps, length) for runs of elements along the innermost dimension, in
  // parallel.
  template <class Row>
  void run(const Row& row, std::int64_t grain = 16384) const {
    parallel_for(count, grain, [&](std::int64_t begin, std::int64_t end) {
      std::array<std::int64_t, max_rank> index{};
      std::array<std::int64_t, N> offset{};
      std::int64_t rest = begin;
      for (std::size_t d = 0; d < static_cast<std::size_t>(rank); ++d) {
        index[d] = rest % extents[d];
        rest /= extents[d];
        for (std::size_t k = 0; k < N; ++k) offset[k] += index[d] * steps[d][k];
      }
      for (std::int64_t done = begin; done < end;) {
        const std::int64_t length = std::min(extents[0] - index[0], end - done);
        row(offset, steps[0], length);
        done += length;
        index[0] += length;
        for (std::size_t k = 0; k < N; ++k) offset[k] += length * steps[0][k];
        for (std::size_t d = 0; d + 1 < static_cast<std::size_t>(rank) && index[d] == extents[d];
             ++d) {
          index[d] = 0;
          ++index[d + 1];
          for (std::size_t k = 0; k < N; ++k)
            offset[k] += steps[d + 1][k] - extents[d] * steps[d][k];
        }
      }
    });
  }

 private:
  bool continues(const std::array<std::int64_t, N>& step) const {
    const auto last = static_cast<std::size_t>(rank - 1);
    for (std::size_t k = 0; k < N; ++k)
      if (step[k] != steps[last][k] * extents[last]) return false;
    return true;
  }
};

}  // namespace mini
