// Reductions over x [outer, n, inner], with double accumulators.
//
// A thread block covers a rectangle of memory: neighbouring threads take neighbouring columns, then
// rows, then lines (outer indices), so that any shape is read in memory order. A thread adds every
// `together`-th row; the threads of a column are then added as a tree. Long lines are divided into
// pieces, whose results are reduced in the same way. All of this depends on the shape alone, so
// every run gives the same bits.
#include <algorithm>
#include <limits>

#include "ops/cuda/launch.cuh"
#include "ops/functors.h"
#include "ops/kernels.h"
#include "tensor/view.h"

namespace mini::cuda {
namespace {

constexpr std::int64_t threads = 256, widest = 64;
constexpr std::int64_t rows_of_a_thread = 64;  // at most, in a piece
constexpr std::int64_t rows_worth_a_thread = 8;

struct Layout {
  std::int64_t outer, n, inner;
  std::int64_t width;     // columns per block
  std::int64_t together;  // threads per column, a power of two
  std::int64_t lines;     // per block
  std::int64_t chunks;    // blocks along inner
  std::int64_t piece;     // rows per piece
  std::int64_t pieces;

  Layout(std::int64_t outer_size, std::int64_t n_size, std::int64_t inner_size)
      : outer(outer_size), n(n_size), inner(inner_size), width(std::min(inner, widest)) {
    together = 1;
    while (together * 2 * width <= threads && together * rows_worth_a_thread < n) together *= 2;
    piece = std::min(n, together * rows_of_a_thread);
    pieces = (n + piece - 1) / piece;
    lines = std::clamp<std::int64_t>(threads / (width * together), 1, outer * pieces);
    chunks = (inner + width - 1) / width;
  }
  std::int64_t blocks() const { return (outer * pieces + lines - 1) / lines * chunks; }
  int block_threads() const { return static_cast<int>((width * together * lines + 31) / 32 * 32); }
};

struct Combine {
  Reduction op;
  __device__ double identity() const {
    return op == Reduction::sum ? 0 : -std::numeric_limits<double>::infinity();
  }
  __device__ double operator()(double a, double b) const {
    return op == Reduction::sum ? a + b : functors::BinaryOp<Binary::maximum>{}(a, b);
  }
};

// out [outer,pieces,inner].
template <class In, class Out>
__global__ void reduce_kernel(Layout l, Combine combine, const In* x, Out* out) {
  __shared__ double partial[threads];
  const std::int64_t thread = threadIdx.x;
  const std::int64_t place = thread / l.width % l.together;
  const std::int64_t line = blockIdx.x / l.chunks * l.lines + thread / l.width / l.together;
  const std::int64_t column = blockIdx.x % l.chunks * l.width + thread % l.width;
  const bool active =
      thread < l.width * l.together * l.lines && line < l.outer * l.pieces && column < l.inner;

  double result = combine.identity();
  if (active) {
    const std::int64_t first = line % l.pieces * l.piece;
    const std::int64_t end = first + l.piece < l.n ? first + l.piece : l.n;
    const In* const from = x + line / l.pieces * l.n * l.inner + column;
#pragma unroll 4
    for (std::int64_t row = first + place; row < end; row += l.together)
      result = combine(result, static_cast<double>(static_cast<Wide<In>>(from[row * l.inner])));
  }
  for (std::int64_t half = l.together / 2; half > 0; half /= 2) {
    partial[thread] = result;
    __syncthreads();
    if (place < half && thread + half * l.width < blockDim.x)
      result = combine(result, partial[thread + half * l.width]);
    __syncthreads();
  }
  if (active && place == 0)
    out[line * l.inner + column] = static_cast<Out>(static_cast<Wide<Out>>(result));
}

template <class In, class Out>
void reduce_pass(const Layout& layout, Reduction op, const In* x, Out* out) {
  launch({layout.blocks(), layout.block_threads()}, reduce_kernel<In, Out>, layout, Combine{op}, x,
         out);
}

// Where each line along n begins.
struct Lines {
  std::int64_t n, inner;
  explicit Lines(const Tensor& x) : n(x.shape()[1]), inner(x.shape()[2]) {}
  __device__ std::int64_t start(std::int64_t line) const {
    return line / inner * n * inner + line % inner;
  }
};

template <class T>
struct ArgMax {
  Lines lines;
  const T* x;
  std::int64_t* y;
  __device__ void operator()(std::int64_t line) const {
    const T* const values = x + lines.start(line);
    std::int64_t best = 0;
    auto largest = static_cast<Wide<T>>(values[0]);
    for (std::int64_t i = 1; i < lines.n && !std::isnan(largest); ++i) {
      const auto value = static_cast<Wide<T>>(values[i * lines.inner]);
      if (!(value <= largest)) {  // greater or NaN
        best = i;
        largest = value;
      }
    }
    y[line] = best;
  }
};

// One thread per line: classifiers have few classes, and rescaling networks use no softmax.
template <class T>
struct Softmax {
  Lines lines;
  const T* x;
  T* y;
  bool logarithm;
  __device__ void operator()(std::int64_t line) const {
    using W = Wide<T>;
    const T* const values = x + lines.start(line);
    T* const results = y + lines.start(line);
    const std::int64_t n = lines.n, step = lines.inner;
    W largest = static_cast<W>(values[0]);
    for (std::int64_t i = 1; i < n; ++i)
      largest = functors::BinaryOp<Binary::maximum>{}(largest, static_cast<W>(values[i * step]));
    double total = 0;
    for (std::int64_t i = 0; i < n; ++i)
      total += static_cast<double>(math::exp(static_cast<W>(values[i * step]) - largest));
    const auto log_total = static_cast<W>(std::log(total)), scale = static_cast<W>(1 / total);
    for (std::int64_t i = 0; i < n; ++i) {
      const W shifted = static_cast<W>(values[i * step]) - largest;
      results[i * step] =
          static_cast<T>(logarithm ? shifted - log_total : math::exp(shifted) * scale);
    }
  }
};

template <class T>
struct OneHot {
  const std::int64_t* labels;
  std::int64_t classes;
  T* y;
  std::uint8_t* any_outside;
  __device__ void operator()(std::int64_t i) const {
    const std::int64_t label = labels[i];
    if (label >= 0 && label < classes)
      y[i * classes + label] = static_cast<T>(Wide<T>(1));
    else
      *any_outside = 1;  // all threads write the same value
  }
};

}  // namespace

void reduce(Reduction op, const Tensor& x, const Tensor& y) {
  visit_floating(x.dtype(), op == Reduction::sum ? "sum" : "amax", [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t outer = x.shape()[0], inner = x.shape()[2];
    Layout layout(outer, x.shape()[1], inner);
    if (layout.pieces == 1) return reduce_pass(layout, op, x.data<T>(), y.data<T>());
    const auto partial = [&] {
      return Tensor::empty({outer, layout.pieces, inner}, DType::float64, x.device());
    };
    Tensor from = partial();
    reduce_pass(layout, op, x.data<T>(), from.template data<double>());
    for (layout = Layout(outer, layout.pieces, inner); layout.pieces > 1;
         layout = Layout(outer, layout.pieces, inner)) {
      const Tensor to = partial();
      reduce_pass(layout, op, from.template data<double>(), to.template data<double>());
      from = to;
    }
    reduce_pass(layout, op, from.template data<double>(), y.data<T>());
  });
}

void argmax(const Tensor& x, const Tensor& y) {
  visit_floating(x.dtype(), "argmax", [&](auto type) {
    using T = typename decltype(type)::type;
    for_each(y.numel(), ArgMax<T>{Lines(x), x.data<T>(), y.data<std::int64_t>()});
  });
}

void softmax(const Tensor& x, const Tensor& y, bool logarithm) {
  visit_floating(x.dtype(), "softmax", [&](auto type) {
    using T = typename decltype(type)::type;
    for_each(x.shape()[0] * x.shape()[2],
             Softmax<T>{Lines(x), x.data<T>(), y.data<T>(), logarithm});
  });
}

void one_hot(const Tensor& labels, const Tensor& y) {
  const std::int64_t classes = y.shape()[y.rank() - 1];
  const Tensor any_outside = Tensor::zeros({}, DType::uint8, y.device());
  visit_floating(y.dtype(), "one_hot", [&](auto type) {
    using T = typename decltype(type)::type;
    for_each(labels.numel(), OneHot<T>{labels.data<std::int64_t>(), classes, y.data<T>(),
                                       any_outside.data<std::uint8_t>()});
  });
  if (any_outside.item() == 0) return;
  const Tensor copied = ops::to_device(labels, Device{});
  const auto* const first = copied.data<std::int64_t>();
  const auto* const outside = std::find_if(
      first, first + copied.numel(), [&](auto label) { return label < 0 || label >= classes; });
  fail("one_hot: label ", *outside, " is not in 0..", classes - 1);
}

}  // namespace mini::cuda
