// The gradient of a convolution's weight, on the CPU.
//
//   dw(o,c,a,b) = sum over n,i,j of dy(n,o,i,j) · x(n,c, i·s + a·d - p, j·s + b·d - p)
//
// For one run of the kernel (strips.h; a run is a kernel row with all its channels) this is a
// matrix product over pixels: rows are the places (b, c) of the run, columns the channels o; an
// output row is a segment. The images' strips are divided into a fixed number of chunks by their
// shape alone; each chunk sums into a matrix of its own, and the matrices are added in order: the
// bits do not depend on the threads.
#include "ops/cpu/gemm.h"
#include "ops/cpu/strips.h"
#include "ops/kernels.h"
#include "tensor/parallel.h"

namespace mini::cpu {
namespace {

constexpr std::int64_t strip_bytes = 256 * 1024;
constexpr std::int64_t most_chunks = 32;
constexpr std::int64_t most_partial_bytes = std::int64_t{64} << 20;

template <class T>
struct Gradient {
  ImageView<const T> x, dy;
  std::int64_t images, inputs, outputs;
  Axis rows, columns;
  T* dw;  // [outputs, inputs, kh, kw]
};

// partial[(ky, kx, c)][o] += what one strip contributes.
template <class T>
void add_strip(const Gradient<T>& g, const Runs& runs, std::int64_t n, std::int64_t begin,
               std::int64_t end, T* input, T* dy_copy, T* partial) {
  const std::int64_t pitch = g.columns.reach(g.columns.output) * g.inputs;
  fill_strip(g.x, n, g.inputs, g.rows, g.columns, begin, end, input);
  // dy is read where it lies if its channels lie side by side.
  const T* dy = g.dy.pixel(n, begin, 0);
  std::int64_t dy_row = g.dy.row, dy_column = g.dy.column;
  if (g.dy.channel != 1 && g.outputs > 1) {
    const Axis own_rows{g.rows.output, g.rows.output, 1, 1, 1, 0, 1};
    const Axis own_columns{g.columns.output, g.columns.output, 1, 1, 1, 0, 1};
    fill_strip(g.dy, n, g.outputs, own_rows, own_columns, begin, end, dy_copy);
    dy = dy_copy;
    dy_column = g.outputs;
    dy_row = g.columns.output * g.outputs;
  }
  std::vector<std::int64_t> segments;
  for (std::int64_t row = 0; row < end - begin; ++row)
    segments.push_back(row * g.rows.stride * pitch);
  for (std::int64_t run = 0; run < runs.count(); ++run) {
    for (std::int64_t p = 0; p < panel_count<T>(g.outputs); ++p) {
      const Panel panel = panel_at<T>(p, g.outputs);
      T* const sums = partial + run * runs.length * g.outputs + panel.first;
      const TileJob<T> job{
          .a = input + runs.offset[static_cast<std::size_t>(run)],
          .a_row = 1,
          .a_step = g.columns.stride * g.inputs,
          .a_offset = segments.data(),
          .b = dy + panel.first,
          .b_step = dy_column,
          .b_segment = dy_row,
          .segments = end - begin,
          .depth = g.columns.output,
          .c = sums,
          .c_row = g.outputs,
          .last_lanes = panel.last_lanes,
          .start = sums,
          .start_row = g.outputs,
      };
      tile_rows(job, runs.length, panel.vectors);
    }
  }
}

template <class T>
void weight_gradient(const Gradient<T>& g) {
  const Runs runs(g.rows, g.columns, g.inputs);
  const std::int64_t taps = g.rows.kernel * g.columns.kernel;
  const std::int64_t size = taps * g.inputs * g.outputs;
  const auto item = static_cast<std::int64_t>(sizeof(T));
  const std::int64_t pitch_bytes = g.columns.reach(g.columns.output) * g.inputs * item;
  const std::int64_t strip = strip_rows(g.rows, pitch_bytes, strip_bytes);
  const std::int64_t strips = (g.rows.output + strip - 1) / strip;
  const std::int64_t all = g.images * strips;
  const std::int64_t chunks =
      std::clamp<std::int64_t>(most_partial_bytes / (size * item), 1, std::min(most_chunks, all));

  const Storage storage(static_cast<std::size_t>(chunks * size * item), Device{});
  T* const partial = reinterpret_cast<T*>(storage.data());
  parallel_tasks(chunks, [&](std::int64_t chunk) {
    T* const sums = partial + chunk * size;
    std::fill_n(sums, size, T(0));
    const Storage input(static_cast<std::size_t>(g.rows.reach(strip) * pitch_bytes), Device{});
    const Storage dy_copy(static_cast<std::size_t>(strip * g.columns.output * g.outputs * item),
                          Device{});
    for (std::int64_t task = all * chunk / chunks; task < all * (chunk + 1) / chunks; ++task) {
      const std::int64_t begin = task % strips * strip;
      add_strip(g, runs, task / strips, begin, std::min(begin + strip, g.rows.output),
                reinterpret_cast<T*>(input.data()), reinterpret_cast<T*>(dy_copy.data()), sums);
    }
  });
  parallel_for(g.outputs * g.inputs, 64, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      for (std::int64_t tap = 0; tap < taps; ++tap) {
        const T* from = partial + (tap * g.inputs + i % g.inputs) * g.outputs + i / g.inputs;
        T sum = from[0];
        for (std::int64_t chunk = 1; chunk < chunks; ++chunk) sum += from[chunk * size];
        g.dw[i * taps + tap] = sum;
      }
    }
  });
}

}  // namespace

void conv2d_weight_gradient(const Tensor& x, const Tensor& dy, const Tensor& dw,
                            const Conv2dParams& params) {
  const std::int64_t inputs = dw.size(1), outputs = dw.size(0) / params.groups;
  const auto axis = [&](int i) {
    const auto k = static_cast<std::size_t>(i);
    return Axis{x.size(2 + i),
                dy.size(2 + i),
                dw.size(2 + i),
                params.stride[k],
                params.dilation[k],
                params.padding[k],
                1};
  };
  visit_real(dw.dtype(), "conv2d_weight_gradient", [&](auto type) {
    using T = typename decltype(type)::type;
    for (std::int64_t g = 0; g < params.groups; ++g)
      weight_gradient<T>({{x, g * inputs},
                          {dy, g * outputs},
                          x.size(0),
                          inputs,
                          outputs,
                          axis(0),
                          axis(1),
                          dw.data<T>() + g * outputs * inputs * dw.size(2) * dw.size(3)});
  });
}

}  // namespace mini::cpu
