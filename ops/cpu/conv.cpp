// Convolution and the gradient of its input, on the CPU: both are one correlation.
//
// The gradient of the input correlates dy, with stride-1 zeros between its values, with the kernel
// turned round by half a turn and its channels exchanged. A correlation is computed strip by strip
// (strips.h) as a matrix product that gathers nothing: rows are output pixels, columns are output
// channels (gemm.h). Tasks are strips; every output is summed in one order, whatever the strip or
// the thread. Read next: conv_weight_gradient.cpp.
#include "ops/cpu/gemm.h"
#include "ops/cpu/strips.h"
#include "ops/kernels.h"
#include "tensor/parallel.h"

namespace mini::cpu {
namespace {

// Half of a 1 MiB second-level cache, the rest being for the weights and the output.
constexpr std::int64_t strip_bytes = 384 * 1024;

// w(output channel, input channel, ky, kx) of one group, by strides.
template <class T>
struct Filter {
  const T* data;
  std::int64_t output, input, row, column;
};

// The filter as the B of gemm.h, its rows in the order (ky, kx, input channel).
template <class T>
void pack_filter(const Filter<T>& w, std::int64_t inputs, std::int64_t outputs, const Axis& rows,
                 const Axis& columns, T* out) {
  const std::int64_t taps = rows.kernel * columns.kernel;
  const std::int64_t depth = taps * inputs;
  parallel_for(panel_count<T>(outputs) * taps, 8, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t task = begin; task < end; ++task) {
      const Panel panel = panel_at<T>(task / taps, outputs);
      const std::int64_t tap = task % taps;
      const std::int64_t width = panel_width<T>(panel);
      const std::int64_t used = std::min(width, outputs - panel.first);
      const T* from = w.data + panel.first * w.output + tap / columns.kernel * w.row +
                      tap % columns.kernel * w.column;
      T* to = out + panel.first * depth + tap * inputs * width;
      for (std::int64_t c = 0; c < inputs; ++c, to += width) {
        for (std::int64_t o = 0; o < used; ++o) to[o] = from[c * w.input + o * w.output];
        std::fill_n(to + used, width - used, T(0));
      }
    }
  });
}

// y[:, outputs] = bias + correlation of x[:, inputs] with w, for one group. y's channels lie side
// by side.
template <class T>
void correlate(const ImageView<const T>& x, std::int64_t images, std::int64_t inputs,
               const Filter<T>& w, const T* bias, const ImageView<T>& y, std::int64_t outputs,
               const Axis& rows, const Axis& columns) {
  const Runs runs(rows, columns, inputs);
  const std::int64_t depth = runs.count() * runs.length;
  const std::int64_t pitch = columns.reach(columns.output) * inputs;
  const auto pitch_bytes = pitch * static_cast<std::int64_t>(sizeof(T));
  const std::int64_t strip = strip_rows(rows, pitch_bytes, strip_bytes);
  const std::int64_t strips = (rows.output + strip - 1) / strip;

  const Storage packed(static_cast<std::size_t>(packed_size<T>(depth, outputs)) * sizeof(T),
                       Device{});
  T* const filter = reinterpret_cast<T*>(packed.data());
  pack_filter(w, inputs, outputs, rows, columns, filter);

  parallel_tasks(images * strips, [&](std::int64_t task) {
    const std::int64_t n = task / strips;
    const std::int64_t begin = task % strips * strip;
    const std::int64_t end = std::min(begin + strip, rows.output);
    const Storage scratch(static_cast<std::size_t>(rows.reach(strip) * pitch_bytes), Device{});
    T* const input = reinterpret_cast<T*>(scratch.data());
    fill_strip(x, n, inputs, rows, columns, begin, end, input);
    for (std::int64_t p = 0; p < panel_count<T>(outputs); ++p) {
      const Panel panel = panel_at<T>(p, outputs);
      const std::int64_t width = panel_width<T>(panel);
      for (std::int64_t row = begin; row < end; ++row) {
        const TileJob<T> job{
            .a = input + (row - begin) * rows.stride * pitch,
            .a_row = columns.stride * inputs,
            .a_step = 1,
            .a_offset = runs.offset.data(),
            .b = filter + panel.first * depth,
            .b_step = width,
            .b_segment = runs.length * width,
            .segments = runs.count(),
            .depth = runs.length,
            .c = y.pixel(n, row, 0) + panel.first,
            .c_row = y.column,
            .last_lanes = panel.last_lanes,
            .start = bias == nullptr ? nullptr : bias + panel.first,
            .start_row = 0,
        };
        tile_rows(job, columns.output, panel.vectors);
      }
    }
  });
}

Axis forward_axis(const Conv2dParams& params, const Shape& x, const Shape& w, const Shape& y,
                  int i) {
  const auto axis = static_cast<std::size_t>(i);
  return {.input = x[2 + i],
          .output = y[2 + i],
          .kernel = w[2 + i],
          .stride = params.stride[axis],
          .dilation = params.dilation[axis],
          .before = params.padding[axis],
          .spread = 1};
}

Axis gradient_axis(const Conv2dParams& params, const Shape& dy, const Shape& w, const Shape& dx,
                   int i) {
  const auto axis = static_cast<std::size_t>(i);
  return {.input = dy[2 + i],
          .output = dx[2 + i],
          .kernel = w[2 + i],
          .stride = 1,
          .dilation = params.dilation[axis],
          .before = params.dilation[axis] * (w[2 + i] - 1) - params.padding[axis],
          .spread = params.stride[axis]};
}

}  // namespace

void conv2d(const Tensor& x, const Tensor& w, const Tensor& bias, const Tensor& y,
            const Conv2dParams& params) {
  const std::int64_t inputs = w.size(1), outputs = w.size(0) / params.groups;
  const std::int64_t kh = w.size(2), kw = w.size(3);
  const Axis rows = forward_axis(params, x.shape(), w.shape(), y.shape(), 0);
  const Axis columns = forward_axis(params, x.shape(), w.shape(), y.shape(), 1);
  visit_real(y.dtype(), "conv2d", [&](auto type) {
    using T = typename decltype(type)::type;
    for (std::int64_t g = 0; g < params.groups; ++g) {
      const Filter<T> filter{w.data<T>() + g * outputs * inputs * kh * kw, inputs * kh * kw,
                             kh * kw, kw, 1};
      correlate<T>({x, g * inputs}, x.size(0), inputs, filter,
                   bias.defined() ? bias.data<T>() + g * outputs : nullptr, {y, g * outputs},
                   outputs, rows, columns);
    }
  });
}

void conv2d_input_gradient(const Tensor& dy, const Tensor& w, const Tensor& dx,
                           const Conv2dParams& params) {
  const std::int64_t outputs = w.size(1), inputs = w.size(0) / params.groups;
  const std::int64_t kh = w.size(2), kw = w.size(3);
  const Axis rows = gradient_axis(params, dy.shape(), w.shape(), dx.shape(), 0);
  const Axis columns = gradient_axis(params, dy.shape(), w.shape(), dx.shape(), 1);
  visit_real(dx.dtype(), "conv2d_input_gradient", [&](auto type) {
    using T = typename decltype(type)::type;
    for (std::int64_t g = 0; g < params.groups; ++g) {
      // Read from the last tap backwards, input and output channels exchanged.
      const Filter<T> filter{w.data<T>() + g * inputs * outputs * kh * kw + kh * kw - 1, kh * kw,
                             outputs * kh * kw, -kw, -1};
      correlate<T>({dy, g * inputs}, dy.size(0), inputs, filter, nullptr, {dx, g * outputs},
                   outputs, rows, columns);
    }
  });
}

}  // namespace mini::cpu
