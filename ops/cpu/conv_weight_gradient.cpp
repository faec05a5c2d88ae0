// The gradient of a convolution's weight, on the CPU.
//
//   dw(o,c,a,b) = sum over n,i,j of dy(n,o,i,j) · x(n,c, i·s + a·d - p, j·s + b·d - p)
//
// For one run of the kernel (strips.h; a run is a kernel row with all its channels) this is a
// matrix product over pixels (gemm.h): rows are the places (b, c) of the run and columns the
// channels o, or the other way round where that fills the vectors better; an output row of the
// image is a segment. The images' strips are divided into a fixed number of chunks by their shape
// alone; each chunk sums into a matrix of its own, and the matrices are added in order, so the bits
// do not depend on the threads.
#include "ops/cpu/gemm.h"
#include "ops/cpu/strips.h"
#include "ops/kernels.h"

namespace mini::cpu::MINI_ISA {
namespace {

constexpr std::int64_t strip_bytes = 256 * 1024;
constexpr std::int64_t most_chunks = 32;
constexpr std::int64_t most_partial_bytes = std::int64_t{64} << 20;

template <class T>
struct WeightGradient {
  ImageView<const T> x, dy;
  std::int64_t images, inputs, outputs;
  Axis rows, columns;
  T* dw;  // [outputs, inputs, kh, kw]
  Runs runs{rows, columns, inputs, columns.reach(columns.output) * inputs};

  void run() const;

 private:
  std::int64_t taps() const { return rows.kernel * columns.kernel; }
  std::int64_t pitch() const { return columns.reach(columns.output) * inputs; }
  std::int64_t depth() const { return taps() * inputs; }
  // Sums are [o][(ky, kx, c)], vectors along the inputs; else [(ky, kx, c)][o].
  bool outputs_first() const {
    return whole_vectors<T>(runs.length) * outputs < whole_vectors<T>(outputs) * runs.length;
  }
  // sums += what output rows [begin, end) of image n contribute; `input` is their strip, `packed`
  // room for their dy.
  void add_inputs_first(const T* input, std::int64_t n, std::int64_t begin, std::int64_t end,
                        T* packed, T* sums) const;
  void add_outputs_first(const T* input, std::int64_t n, std::int64_t begin, std::int64_t end,
                         T* sums) const;
  // dw = the sum of the chunks, in order.
  void add_chunks(T* partial, std::int64_t chunks) const;
};

template <class T>
void WeightGradient<T>::add_inputs_first(const T* input, std::int64_t n, std::int64_t begin,
                                         std::int64_t end, T* packed, T* sums) const {
  std::vector<std::int64_t> input_rows;
  for (std::int64_t i = 0; i < end - begin; ++i) input_rows.push_back(i * rows.stride * pitch());
  for (std::int64_t p = 0; p < panel_count<T>(outputs); ++p) {
    const Panel panel = panel_at<T>(p, outputs);
    const std::int64_t width = panel_width<T>(panel);
    const std::int64_t row_size = columns.output * width;
    for (std::int64_t row = begin; row < end; ++row)
      pack_panel<T>({dy.pixel(n, row, 0), dy.column, dy.channel}, columns.output, panel, outputs,
                    packed + (row - begin) * row_size);
    for (std::int64_t run = 0; run < runs.count(); ++run) {
      T* const c = sums + run * runs.length * outputs + panel.first;
      const TileJob<T> job{
          .a = input + runs.offset[static_cast<std::size_t>(run)],
          .a_row = 1,
          .a_step = columns.stride * inputs,
          .a_offset = input_rows.data(),
          .b = packed,
          .b_step = width,
          .b_segment = row_size,
          .segments = end - begin,
          .depth = columns.output,
          .c = c,
          .c_row = outputs,
          .last_lanes = panel.last_lanes,
          .start = c,
          .start_row = outputs,
      };
      tile_rows(job, runs.length, panel.vectors);
    }
  }
}

template <class T>
void WeightGradient<T>::add_outputs_first(const T* input, std::int64_t n, std::int64_t begin,
                                          std::int64_t end, T* sums) const {
  std::vector<std::int64_t> gradient_rows;
  for (std::int64_t i = 0; i < end - begin; ++i) gradient_rows.push_back(i * dy.row);
  for (std::int64_t run = 0; run < runs.count(); ++run) {
    for (std::int64_t p = 0; p < panel_count<T>(runs.length); ++p) {
      const Panel panel = panel_at<T>(p, runs.length);
      T* const c = sums + run * runs.length + panel.first;
      const TileJob<T> job{
          .a = dy.pixel(n, begin, 0),
          .a_row = dy.channel,
          .a_step = dy.column,
          .a_offset = gradient_rows.data(),
          .b = input + runs.offset[static_cast<std::size_t>(run)] + panel.first,
          .b_step = columns.stride * inputs,
          .b_segment = rows.stride * pitch(),
          .segments = end - begin,
          .depth = columns.output,
          .c = c,
          .c_row = depth(),
          .last_lanes = panel.last_lanes,
          .start = c,
          .start_row = depth(),
      };
      tile_rows(job, outputs, panel.vectors);
    }
  }
}

template <class T>
void WeightGradient<T>::add_chunks(T* partial, std::int64_t chunks) const {
  const std::int64_t size = depth() * outputs;
  parallel_for(size, 16384, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t chunk = 1; chunk < chunks; ++chunk)
      for (std::int64_t i = begin; i < end; ++i) partial[i] += partial[chunk * size + i];
  });
  // To [o][c][tap]; a few o at a time, so that cache lines are used whole on both sides.
  constexpr std::int64_t block = Vec<T>::lanes;
  const std::int64_t by_output = outputs_first() ? depth() : 1;
  const std::int64_t by_place = outputs_first() ? 1 : outputs;
  const std::int64_t grain = 1 + 16384 / (block * depth());
  parallel_for((outputs + block - 1) / block, grain, [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t last = std::min(end * block, outputs);
    for (std::int64_t first = begin * block; first < last; first += block)
      for (std::int64_t c = 0; c < inputs; ++c)
        for (std::int64_t tap = 0; tap < taps(); ++tap)
          for (std::int64_t o = first; o < std::min(first + block, last); ++o)
            dw[(o * inputs + c) * taps() + tap] =
                partial[o * by_output + (tap * inputs + c) * by_place];
  });
}

template <class T>
void WeightGradient<T>::run() const {
  constexpr auto item = static_cast<std::int64_t>(sizeof(T));
  const std::int64_t size = depth() * outputs;
  const std::int64_t strip = strip_rows(rows, pitch() * item, strip_bytes);
  const std::int64_t strips = (rows.output + strip - 1) / strip;
  const std::int64_t all = images * strips;
  const std::int64_t chunks =
      std::clamp<std::int64_t>(most_partial_bytes / (size * item), 1, std::min(most_chunks, all));
  const auto room = [](std::int64_t elements) {
    return Storage(static_cast<std::size_t>(elements * item), Device{});
  };
  const Storage partials = room(chunks * size);
  T* const partial = reinterpret_cast<T*>(partials.data());
  const std::int64_t work = all / chunks * strip * columns.output * size;
  strip_tasks(chunks, work, [&](std::int64_t chunk) {
    T* const sums = partial + chunk * size;
    std::fill_n(sums, size, T(0));
    const Storage strip_room = room(rows.reach(strip) * pitch());
    const Storage packed_room = room(strip * columns.output * max_tile_vectors * Vec<T>::lanes);
    T* const input = reinterpret_cast<T*>(strip_room.data());
    T* const packed = reinterpret_cast<T*>(packed_room.data());
    for (std::int64_t task = all * chunk / chunks; task < all * (chunk + 1) / chunks; ++task) {
      const std::int64_t n = task / strips;
      const std::int64_t begin = task % strips * strip;
      const std::int64_t end = std::min(begin + strip, rows.output);
      copy_padded(x, n, inputs, rows, columns, {begin, end, 0, columns.output}, input);
      if (outputs_first())
        add_outputs_first(input, n, begin, end, sums);
      else
        add_inputs_first(input, n, begin, end, packed, sums);
    }
  });
  add_chunks(partial, chunks);
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
      WeightGradient<T>{
          {x, g * inputs}, {dy, g * outputs},
          x.size(0),       inputs,
          outputs,         axis(0),
          axis(1),         dw.data<T>() + g * outputs * inputs * dw.size(2) * dw.size(3)}
          .run();
  });
}

}  // namespace mini::cpu::MINI_ISA
