// Reductions over x [outer, n, inner].
//
// The n rows of an outer index are cut into blocks of a fixed size; a block adds its rows into a
// row of double accumulators, and the blocks' partial results are added in order. Blocks are the
// unit of parallel work, so a sum of ten million elements uses every core, yet its bits depend on
// the shape alone. Narrow rows are taken several at a time (inner = 1: 64 of them): neighbouring
// accumulators are then always neighbours in memory too, which is what vector code needs.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "ops/functors.h"
#include "ops/kernels.h"
#include "tensor/parallel.h"

namespace mini::cpu::MINI_ISA {
namespace {

constexpr std::int64_t lanes = 64;            // accumulators that narrow rows are spread over
constexpr std::int64_t columns = 512;         // accumulators at most: 4 KiB, stays in L1
constexpr std::int64_t block_size = 1 << 15;  // elements of a block, about

struct Sum {
  static constexpr double identity = 0;
  double operator()(double a, double b) const { return a + b; }
};
struct Max {
  static constexpr double identity = -std::numeric_limits<double>::infinity();
  double operator()(double a, double b) const {
    return functors::BinaryOp<Binary::maximum>{}(a, b);
  }
};

// out[j] = combination of rows x[0..n)[j] of `width` columns; rows lie `stride` apart.
template <class T, class Combine>
void reduce_rows(const T* x, std::int64_t n, std::int64_t width, std::int64_t stride,
                 const Combine& combine, double* out) {
  const bool gapless = width == stride;
  const std::int64_t together = gapless ? std::clamp<std::int64_t>(lanes / width, 1, n) : 1;
  const std::int64_t wide = together * width;
  std::array<double, columns> acc;
  std::fill_n(acc.begin(), wide, Combine::identity);
  const auto add_row = [&](const T* row, std::int64_t length) {
    for (std::int64_t j = 0; j < length; ++j)
      acc[static_cast<std::size_t>(j)] =
          combine(acc[static_cast<std::size_t>(j)], static_cast<double>(row[j]));
  };
  std::int64_t i = 0;
  for (; i + together <= n; i += together) add_row(x + i * stride, wide);
  if (i < n) add_row(x + i * stride, (n - i) * width);
  for (std::int64_t j = 0; j < width; ++j) {
    double result = acc[static_cast<std::size_t>(j)];
    for (std::int64_t k = j + width; k < wide; k += width)
      result = combine(result, acc[static_cast<std::size_t>(k)]);
    out[j] = result;
  }
}

template <class T, class Combine>
void reduce_all(const Tensor& x, const Tensor& y, const Combine& combine) {
  const std::int64_t outer = x.shape()[0], n = x.shape()[1], inner = x.shape()[2];
  const std::int64_t chunk = std::min(inner, columns);  // columns reduced together
  const std::int64_t chunks = (inner + chunk - 1) / chunk;
  const std::int64_t rows = std::max<std::int64_t>(1, block_size / chunk);  // of a block
  const std::int64_t blocks = (n + rows - 1) / rows;
  const T* const in = x.data<T>();
  T* const out = y.data<T>();

  // partial [outer, blocks, inner]; with one block it goes straight to y.
  std::vector<double> partial(static_cast<std::size_t>(blocks > 1 ? outer * blocks * inner : 0));
  const std::int64_t work = std::min(n, rows) * chunk;
  const std::int64_t grain = std::max<std::int64_t>(1, block_size / 2 / work);
  parallel_for(outer * blocks * chunks, grain, [&](std::int64_t begin, std::int64_t end) {
    std::array<double, columns> result;
    for (std::int64_t task = begin; task < end; ++task) {
      const std::int64_t first_column = task % chunks * chunk;
      const std::int64_t first_row = task / chunks % blocks * rows;
      const std::int64_t o = task / chunks / blocks;
      const std::int64_t width = std::min(chunk, inner - first_column);
      reduce_rows(in + (o * n + first_row) * inner + first_column, std::min(rows, n - first_row),
                  width, inner, combine, result.data());
      if (blocks == 1)
        std::transform(result.begin(), result.begin() + width, out + o * inner + first_column,
                       [](double value) { return static_cast<T>(value); });
      else
        std::copy_n(result.begin(), width,
                    partial.begin() + (task / chunks) * inner + first_column);
    }
  });
  if (blocks == 1) return;
  parallel_for(outer * inner, std::max<std::int64_t>(1, block_size / blocks),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t k = begin; k < end; ++k) {
                   const double* p = partial.data() + k / inner * blocks * inner + k % inner;
                   double result = p[0];
                   for (std::int64_t b = 1; b < blocks; ++b) result = combine(result, p[b * inner]);
                   out[k] = static_cast<T>(result);
                 }
               });
}

// Calls body(x's first element, its step along n, flat index [outer, inner]) for every line along
// n.
template <class T, class Body>
void for_each_line(const Tensor& x, const Body& body) {
  const std::int64_t outer = x.shape()[0], n = x.shape()[1], inner = x.shape()[2];
  const T* const in = x.data<T>();
  parallel_for(outer * inner, std::max<std::int64_t>(1, 4096 / n),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t k = begin; k < end; ++k)
                   body(in + k / inner * n * inner + k % inner, inner, k);
               });
}

}  // namespace

void reduce(Reduction op, const Tensor& x, const Tensor& y) {
  visit_real(x.dtype(), op == Reduction::sum ? "sum" : "amax", [&](auto type) {
    using T = typename decltype(type)::type;
    switch (op) {
      case Reduction::sum:
        return reduce_all<T>(x, y, Sum{});
      case Reduction::max:
        return reduce_all<T>(x, y, Max{});
    }
  });
}

void argmax(const Tensor& x, const Tensor& y) {
  visit_real(x.dtype(), "argmax", [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t n = x.shape()[1];
    std::int64_t* const out = y.data<std::int64_t>();
    for_each_line<T>(x, [&](const T* line, std::int64_t step, std::int64_t k) {
      std::int64_t best = 0;
      for (std::int64_t i = 1; i < n && !std::isnan(line[best * step]); ++i)
        if (!(line[i * step] <= line[best * step])) best = i;  // greater, or NaN
      out[k] = best;
    });
  });
}

void softmax(const Tensor& x, const Tensor& y, bool logarithm) {
  visit_real(x.dtype(), "softmax", [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t n = x.shape()[1];
    const T* const in = x.data<T>();
    T* const out = y.data<T>();
    for_each_line<T>(x, [&](const T* line, std::int64_t step, std::int64_t) {
      T* const result = out + (line - in);
      T largest = line[0];
      for (std::int64_t i = 1; i < n; ++i)
        largest = functors::BinaryOp<Binary::maximum>{}(largest, line[i * step]);
      double total = 0;
      for (std::int64_t i = 0; i < n; ++i) {
        const T e = math::exp(line[i * step] - largest);
        result[i * step] = e;
        total += static_cast<double>(e);
      }
      if (logarithm) {
        const T log_total = static_cast<T>(std::log(total));
        for (std::int64_t i = 0; i < n; ++i)
          result[i * step] = line[i * step] - largest - log_total;
      } else {
        const T scale = static_cast<T>(1 / total);
        for (std::int64_t i = 0; i < n; ++i) result[i * step] *= scale;
      }
    });
  });
}

void one_hot(const Tensor& labels, const Tensor& y) {
  const std::int64_t classes = y.shape()[y.rank() - 1];
  const std::int64_t* const in = labels.data<std::int64_t>();
  visit_real(y.dtype(), "one_hot", [&](auto type) {
    using T = typename decltype(type)::type;
    T* const out = y.data<T>();
    for (std::int64_t i = 0; i < labels.numel(); ++i) {
      check(in[i] >= 0 && in[i] < classes, "one_hot: label ", in[i], " is not in 0..", classes - 1);
      out[i * classes + in[i]] = T(1);
    }
  });
}

}  // namespace mini::cpu::MINI_ISA
