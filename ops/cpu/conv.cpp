// Convolution and the gradient of its input, on the CPU: both are one correlation.
//
// The gradient of the input correlates dy with the kernel turned round by half a turn and its
// channels exchanged; at a stride, each of the stride's remainders is a correlation of its own, with
// the part of the kernel that meets it. A correlation is computed strip by strip
// (strips.h) as a matrix product that gathers nothing: rows are output pixels, columns are output
// channels (gemm.h; dot_tile.h where they are few). Tasks are strips; every output is summed in one
// order, whatever the strip or the thread. Read next: conv_weight_gradient.cpp.
#include <numeric>

#include "ops/cpu/dot_tile.h"
#include "ops/cpu/gemm.h"
#include "ops/cpu/strips.h"
#include "ops/kernels.h"

namespace mini::cpu::MINI_ISA {
namespace {

// Well under half of a 1 MiB second-level cache: the weights and the output need room, too.
constexpr std::int64_t strip_bytes = 384 * 1024;

// w(output channel, input channel, ky, kx) of one group, by strides.
template <class T>
struct Filter {
  const T* data;
  std::int64_t output, input, row, column;

  const T* at(std::int64_t o, std::int64_t tap, std::int64_t kernel_columns) const {
    return data + o * output + tap / kernel_columns * row + tap % kernel_columns * column;
  }
};

// y[:, outputs] = bias + correlation of x[:, inputs] with w, for one group. y's channels lie side
// by side in memory.
template <class T>
struct Correlation {
  ImageView<const T> x;
  std::int64_t images, inputs;
  Filter<T> w;
  const T* bias;
  ImageView<T> y;
  std::int64_t outputs;
  Axis rows, columns;

  void run() const;

 private:
  std::int64_t taps() const { return rows.kernel * columns.kernel; }
  std::int64_t depth() const { return taps() * inputs; }
  // A run is a row of the kernel, or one tap where dilation tears the row apart.
  std::int64_t run_taps() const { return Runs(rows, columns, 1, 0).length; }
  std::int64_t run_length() const { return run_taps() * inputs; }
  std::int64_t run_count() const { return taps() / run_taps(); }
  bool narrow() const;
  std::int64_t filter_size() const;
  void pack_wide(T* out) const;
  void pack_narrow(T* out) const;
  // Each computes one region of image n. compute reads input pixels at `input`, whose rows are `pitch`
  // apart; compute_in_place lets it read x itself, compute_padded a padded copy of a part of x.
  void compute(const T* filter, const T* input, std::int64_t pitch, std::int64_t n,
               const Region& region) const;
  void compute_in_place(const T* filter, std::int64_t n, const Region& region) const;
  void compute_padded(const T* filter, std::int64_t n, const Region& region) const;
  // Sets all outputs to zero, for a kernel without elements.
  void clear() const;
};

// Whether vectors along the inputs (dot_tile.h) cost less than vectors along the outputs (gemm.h),
// counted in multiply-adds of vectors per pixel. Adding up a vector costs about as much as six.
template <class T>
bool Correlation<T>::narrow() const {
  constexpr std::int64_t lanes = Vec<T>::lanes;
  const std::int64_t wide_cost = whole_vectors<T>(outputs) / lanes * depth();
  const std::int64_t narrow_cost =
      outputs * (run_count() * whole_vectors<T>(run_length()) / lanes + 6);
  return outputs <= max_dot_columns && narrow_cost < wide_cost;
}

template <class T>
std::int64_t Correlation<T>::filter_size() const {
  return narrow() ? outputs * run_count() * whole_vectors<T>(run_length())
                  : depth() * whole_vectors<T>(outputs);
}

// The filter as the B of gemm.h, its rows in the order (ky, kx, input channel).
template <class T>
void Correlation<T>::pack_wide(T* out) const {
  const std::int64_t grain = 1 + 1024 / inputs;
  parallel_for(panel_count<T>(outputs) * taps(), grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t task = begin; task < end; ++task) {
      const Panel panel = panel_at<T>(task / taps(), outputs);
      const std::int64_t tap = task % taps();
      const std::int64_t width = panel_width<T>(panel);
      const std::int64_t used = std::min(width, outputs - panel.first);
      const T* from = w.at(panel.first, tap, columns.kernel);
      T* to = out + panel.first * depth() + tap * inputs * width;
      for (std::int64_t c = 0; c < inputs; ++c, to += width) {
        for (std::int64_t o = 0; o < used; ++o) to[o] = from[c * w.input + o * w.output];
        std::fill_n(to + used, width - used, T(0));
      }
    }
  });
}

// The filter as the B of dot_tile.h.
template <class T>
void Correlation<T>::pack_narrow(T* out) const {
  std::fill_n(out, filter_size(), T(0));
  for (std::int64_t o = 0; o < outputs; ++o)
    for (std::int64_t tap = 0; tap < taps(); ++tap) {
      const T* from = w.at(o, tap, columns.kernel);
      T* to = out + (o * run_count() + tap / run_taps()) * whole_vectors<T>(run_length()) +
              tap % run_taps() * inputs;
      for (std::int64_t c = 0; c < inputs; ++c) to[c] = from[c * w.input];
    }
}

template <class T>
void Correlation<T>::compute(const T* filter, const T* input, std::int64_t pitch, std::int64_t n,
                             const Region& region) const {
  const Runs runs(rows, columns, inputs, pitch);
  // Tiles lie along the longer side of the region: `line` after line of them.
  std::int64_t line = rows.stride * pitch, step = columns.stride * inputs;
  std::int64_t y_line = y.row, y_step = y.column;
  std::int64_t lines = region.height(), length = region.width();
  if (lines > length) {
    std::swap(line, step);
    std::swap(y_line, y_step);
    std::swap(lines, length);
  }
  if (line == length * step && y_line == length * y_step) {  // one long line
    length *= lines;
    lines = 1;
  }
  T* const result = y.pixel(n, region.top, region.left);
  if (narrow()) {
    for (std::int64_t i = 0; i < lines; ++i)
      dot_rows<T>({.a = input + i * line,
                   .a_row = step,
                   .a_offset = runs.offset.data(),
                   .b = filter,
                   .segments = runs.count(),
                   .depth = runs.length,
                   .c = result + i * y_line,
                   .c_row = y_step,
                   .start = bias},
                  length, outputs);
    return;
  }
  for (std::int64_t p = 0; p < panel_count<T>(outputs); ++p) {
    const Panel panel = panel_at<T>(p, outputs);
    const std::int64_t width = panel_width<T>(panel);
    for (std::int64_t i = 0; i < lines; ++i)
      tile_rows<T>({.a = input + i * line,
                    .a_row = step,
                    .a_step = 1,
                    .a_offset = runs.offset.data(),
                    .b = filter + panel.first * depth(),
                    .b_step = width,
                    .b_segment = runs.length * width,
                    .segments = runs.count(),
                    .depth = runs.length,
                    .c = result + i * y_line + panel.first,
                    .c_row = y_step,
                    .last_lanes = panel.last_lanes,
                    .start = bias == nullptr ? nullptr : bias + panel.first,
                    .start_row = 0},
                   length, panel.vectors);
  }
}

template <class T>
void Correlation<T>::compute_in_place(const T* filter, std::int64_t n, const Region& region) const {
  compute(filter, x.pixel(n, rows.first(region.top), columns.first(region.left)), x.row, n, region);
}

template <class T>
void Correlation<T>::compute_padded(const T* filter, std::int64_t n, const Region& region) const {
  if (region.empty()) return;
  const std::int64_t pitch = columns.reach(region.width()) * inputs;
  const Storage copy(static_cast<std::size_t>(rows.reach(region.height()) * pitch) * sizeof(T),
                     Device{});
  T* const input = reinterpret_cast<T*>(copy.data());
  copy_padded(x, n, inputs, rows, columns, region, input);
  compute(filter, input, pitch, n, region);
}

template <class T>
void Correlation<T>::clear() const {
  parallel_for(images * rows.output, 1 + 16384 / (columns.output * outputs),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t i = begin; i < end; ++i)
                   for (std::int64_t j = 0; j < columns.output; ++j)
                     std::fill_n(y.pixel(i / rows.output, i % rows.output, j), outputs, T(0));
               });
}

template <class T>
void Correlation<T>::run() const {
  if (taps() == 0) return clear();
  const std::int64_t pitch = columns.reach(columns.output) * inputs;
  const std::int64_t strip =
      strip_rows(rows, pitch * static_cast<std::int64_t>(sizeof(T)), strip_bytes);
  const std::int64_t strips = (rows.output + strip - 1) / strip;

  const Storage packed(static_cast<std::size_t>(filter_size()) * sizeof(T), Device{});
  T* const filter = reinterpret_cast<T*>(packed.data());
  if (narrow())
    pack_narrow(filter);
  else
    pack_wide(filter);

  const bool readable = (x.channel == 1 || inputs == 1) && x.column == inputs;
  const std::int64_t left = columns.inner_begin(), right = columns.inner_end();
  const std::int64_t work = strip * columns.output * outputs * depth();
  strip_tasks(images * strips, work, [&](std::int64_t task) {
    const std::int64_t n = task / strips;
    const std::int64_t begin = task % strips * strip;
    const std::int64_t end = std::min(begin + strip, rows.output);
    const Region inner{std::clamp(rows.inner_begin(), begin, end),
                       std::clamp(rows.inner_end(), begin, end), left, right};
    if (!readable || inner.empty())
      return compute_padded(filter, n, {begin, end, 0, columns.output});
    compute_in_place(filter, n, inner);
    compute_padded(filter, n, {begin, inner.top, 0, columns.output});
    compute_padded(filter, n, {inner.bottom, end, 0, columns.output});
    compute_padded(filter, n, {inner.top, inner.bottom, 0, left});
    compute_padded(filter, n, {inner.top, inner.bottom, right, columns.output});
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
          .before = params.padding[axis]};
}

// One axis of the input's gradient: dx(first + i·stride), for all i, is a correlation of dy with
// every step-th element of the kernel from `begin` on, in reverse order.
struct Phase {
  Axis axis;
  std::int64_t first, begin, step;
};

// The elements that meet dx(first): those a for which first + padding - a·dilation is a multiple of
// the stride. Where there are none, axis.kernel is 0.
Phase gradient_phase(const Conv2dParams& params, const Shape& dy, const Shape& w, const Shape& dx,
                     int i, std::int64_t first) {
  const auto k = static_cast<std::size_t>(i);
  const std::int64_t kernel = w[2 + i], stride = params.stride[k], dilation = params.dilation[k];
  const auto position = [&](std::int64_t a) { return first + params.padding[k] - a * dilation; };
  const std::int64_t step = stride / std::gcd(stride, dilation);
  std::int64_t begin = 0;
  while (begin < std::min(step, kernel) && position(begin) % stride != 0) ++begin;
  const bool none = begin == std::min(step, kernel);
  const std::int64_t count = none ? 0 : (kernel - begin + step - 1) / step;
  const std::int64_t apart = step * dilation / stride;
  return {{.input = dy[2 + i],
           .output = (dx[2 + i] - first + stride - 1) / stride,
           .kernel = count,
           .stride = 1,
           .dilation = apart,
           .before = (count - 1) * apart - position(begin) / stride},
          first,
          begin,
          step};
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
      const T* const start = bias.defined() ? bias.data<T>() + g * outputs : nullptr;
      Correlation<T>{{x, g * inputs},  x.size(0), inputs, filter, start,
                     {y, g * outputs}, outputs,   rows,   columns}
          .run();
    }
  });
}

void conv2d_input_gradient(const Tensor& dy, const Tensor& w, const Tensor& dx,
                           const Conv2dParams& params) {
  const std::int64_t outputs = w.size(1), inputs = w.size(0) / params.groups;
  const std::int64_t kh = w.size(2), kw = w.size(3);
  const auto phases = [&](int i) {
    std::vector<Phase> result;
    const std::int64_t stride = params.stride[static_cast<std::size_t>(i)];
    for (std::int64_t first = 0; first < std::min(stride, dx.size(2 + i)); ++first)
      result.push_back(gradient_phase(params, dy.shape(), w.shape(), dx.shape(), i, first));
    return result;
  };
  visit_real(dx.dtype(), "conv2d_input_gradient", [&](auto type) {
    using T = typename decltype(type)::type;
    for (const Phase& row : phases(0))
      for (const Phase& column : phases(1))
        for (std::int64_t g = 0; g < params.groups; ++g) {
          ImageView<T> to{dx, g * outputs};
          to.data = to.pixel(0, row.first, column.first);
          to.row *= params.stride[0];
          to.column *= params.stride[1];
          // The kernel is read from its last tap backwards, with input and output channels exchanged.
          const std::int64_t a = row.begin + (row.axis.kernel - 1) * row.step;
          const std::int64_t b = column.begin + (column.axis.kernel - 1) * column.step;
          const Filter<T> filter{w.data<T>() + g * inputs * outputs * kh * kw + a * kw + b, kh * kw,
                                 outputs * kh * kw, -row.step * kw, -column.step};
          Correlation<T>{{dy, g * inputs}, dy.size(0), inputs,     filter, nullptr, to,
                         outputs,          row.axis,   column.axis}
              .run();
        }
  });
}

}  // namespace mini::cpu::MINI_ISA
