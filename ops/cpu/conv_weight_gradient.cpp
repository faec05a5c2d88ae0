// The gradient of a convolution's weight, on the CPU.
//
//   dw(o,c,a,b) = sum over n,i,j of dy(n,o,i,j) · x(n,c, i·s + a·d - p, j·s + b·d - p)
//
// For one run of the kernel (strips.h; a run is a kernel row with all its channels) this is a
// matrix product over pixels (gemm.h): rows are the places (b, c) of the run and columns the
// channels o, or the other way round where that fills the vectors better; an output row of the
// image is a segment. The images' strips are divided into a fixed number of chunks by their shape
// alone; each chunk sums into a matrix of its own, and the matrices are added in order, so the bits
// do not depend on the threads. A task is a chunk and some panels of the matrix's columns.
#include "ops/cpu/gemm.h"
#include "ops/cpu/strips.h"
#include "ops/kernels.h"

namespace mini::cpu::MINI_ISA {
namespace {

// A strip of twice the size of a task's sums, which come and go with every strip, in these bounds:
// it stays in the second-level cache while they do, and large ones are worth a long strip.
constexpr std::int64_t least_strip_bytes = 64 * 1024;
constexpr std::int64_t most_strip_bytes = 192 * 1024;
constexpr std::int64_t most_chunks = 32;
constexpr std::int64_t most_partial_bytes = std::int64_t{8} << 20;
constexpr std::int64_t part_columns = 64;  // outputs of a task: several panels read one copy of x

template <class T>
struct WeightGradient {
  ImageView<const T> x, dy;
  std::int64_t images, inputs, outputs;
  Axis rows, columns;
  T* dw;  // [outputs, inputs, kh, kw]

  void run() const;

 private:
  std::int64_t taps() const { return rows.kernel * columns.kernel; }
  std::int64_t depth() const { return taps() * inputs; }
  Runs runs(std::int64_t pitch) const { return {rows, columns, inputs, pitch}; }
  // Whether the sums are stored as [o][(ky, kx, c)], so that vectors lie along the inputs. Otherwise
  // they are [(ky, kx, c)][o].
  bool outputs_first() const {
    const std::int64_t length = runs(0).length;
    return whole_vectors<T>(length) * outputs < whole_vectors<T>(outputs) * length;
  }
  // Whether x itself can be read: its runs are without gaps, and no padding is seen.
  bool readable() const {
    const auto whole = [](const Axis& axis) {
      return axis.inner_begin() == 0 && axis.inner_end() == axis.output;
    };
    return (x.channel == 1 || inputs == 1) && x.column == inputs && whole(rows) && whole(columns);
  }
  // A part is what one task computes of the columns where inputs are first: panels [begin, end).
  struct Part {
    std::int64_t begin, end;
  };
  std::int64_t parts() const {
    return outputs_first() ? 1 : (outputs + part_columns - 1) / part_columns;
  }
  Part part(std::int64_t i) const {
    const std::int64_t panels = panel_count<T>(outputs);
    return {panels * i / parts(), panels * (i + 1) / parts()};
  }
  // What output rows [begin, end) of image n look at, rows `pitch` apart.
  struct Strip {
    std::int64_t n, begin, end;
    const T* input;
    std::int64_t pitch;
    bool first;  // of its chunk: nothing has been summed yet
    std::int64_t height() const { return end - begin; }
  };
  // What the strip of output rows [begin, end) of image n will read, if it lies in one piece.
  Ahead ahead(std::int64_t n, std::int64_t begin, std::int64_t end) const;
  // sums += what a strip contributes, or = for the first; `packed` is room for its dy.
  void add_inputs_first(const Strip& strip, const Part& part, Ahead ahead, T* packed,
                        T* sums) const;
  void add_outputs_first(const Strip& strip, T* sums) const;
  // dw = the sum of the chunks, in order.
  void add_chunks(T* partial, std::int64_t chunks) const;
};

template <class T>
Ahead WeightGradient<T>::ahead(std::int64_t n, std::int64_t begin, std::int64_t end) const {
  Ahead result;
  const auto add = [&](const ImageView<const T>& view, std::int64_t channels, std::int64_t first,
                       std::int64_t last) {
    if (view.channel == 1 && view.column == channels)
      result.add(view.pixel(n, first, 0), (last - first) * view.row);
  };
  const std::int64_t first = rows.first(begin);
  add(x, inputs, std::clamp<std::int64_t>(first, 0, rows.input),
      std::clamp<std::int64_t>(first + rows.reach(end - begin), 0, rows.input));
  add(dy, outputs, begin, end);
  return result;
}

template <class T>
void WeightGradient<T>::add_inputs_first(const Strip& strip, const Part& part, Ahead ahead,
                                         T* packed, T* sums) const {
  // A few pixels of dy at a time, for all panels: memory is read in its order.
  constexpr std::int64_t few = 16;
  std::vector<Panel> panels;
  for (std::int64_t p = part.begin; p < part.end; ++p) panels.push_back(panel_at<T>(p, outputs));
  const std::int64_t pixels = strip.height() * columns.output;
  const auto place = [&](const Panel& panel) {
    return packed + (panel.first - panels.front().first) * pixels;
  };
  for (std::int64_t row = 0; row < strip.height(); ++row)
    for (std::int64_t column = 0; column < columns.output; column += few)
      for (const Panel& panel : panels)
        pack_panel<T>({dy.pixel(strip.n, strip.begin + row, column), dy.column, dy.channel},
                      std::min(few, columns.output - column), panel, outputs,
                      place(panel) + (row * columns.output + column) * panel_width<T>(panel));
  std::vector<std::int64_t> input_rows;
  for (std::int64_t i = 0; i < strip.height(); ++i)
    input_rows.push_back(i * rows.stride * strip.pitch);
  const Runs runs = this->runs(strip.pitch);
  const std::int64_t tiles =
      std::ssize(panels) * runs.count() * (runs.length / max_tile_rows(2) + 1);
  const std::int64_t lines = ahead.lines() / tiles + 1;
  for (const Panel& panel : panels) {
    const std::int64_t width = panel_width<T>(panel);
    for (std::int64_t run = 0; run < runs.count(); ++run) {
      T* const c = sums + run * runs.length * outputs + panel.first;
      TileJob<T> job{
          .a = strip.input + runs.offset[static_cast<std::size_t>(run)],
          .a_row = 1,
          .a_step = columns.stride * inputs,
          .a_offset = input_rows.data(),
          .b = place(panel),
          .b_step = width,
          .b_segment = columns.output * width,
          .segments = strip.height(),
          .depth = columns.output,
          .c = c,
          .c_row = outputs,
          .last_lanes = panel.last_lanes,
          .start = strip.first ? nullptr : c,
          .start_row = outputs,
      };
      for_tiles(runs.length, max_tile_rows(panel.vectors), [&](std::int64_t, std::int64_t height) {
        tile_rows(job, height, panel.vectors);
        ahead.fetch(lines);
        job.a += height;
        job.c += height * outputs;
        if (!strip.first) job.start = job.c;
      });
    }
  }
}

template <class T>
void WeightGradient<T>::add_outputs_first(const Strip& strip, T* sums) const {
  std::vector<std::int64_t> gradient_rows;
  for (std::int64_t i = 0; i < strip.height(); ++i) gradient_rows.push_back(i * dy.row);
  const Runs runs = this->runs(strip.pitch);
  for (std::int64_t run = 0; run < runs.count(); ++run) {
    for (std::int64_t p = 0; p < panel_count<T>(runs.length); ++p) {
      const Panel panel = panel_at<T>(p, runs.length);
      T* const c = sums + run * runs.length + panel.first;
      const TileJob<T> job{
          .a = dy.pixel(strip.n, strip.begin, 0),
          .a_row = dy.channel,
          .a_step = dy.column,
          .a_offset = gradient_rows.data(),
          .b = strip.input + runs.offset[static_cast<std::size_t>(run)] + panel.first,
          .b_step = columns.stride * inputs,
          .b_segment = rows.stride * strip.pitch,
          .segments = strip.height(),
          .depth = columns.output,
          .c = c,
          .c_row = depth(),
          .last_lanes = panel.last_lanes,
          .start = strip.first ? nullptr : c,
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
  // Reorders the sums to [o][c][tap], a few o at a time, so that reading and writing both use whole
  // cache lines.
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
  const std::int64_t pitch = columns.reach(columns.output) * inputs;
  const std::int64_t strip_bytes =
      std::clamp(2 * size / parts() * item, least_strip_bytes, most_strip_bytes);
  const std::int64_t height = strip_rows(rows, pitch * item, strip_bytes);
  const std::int64_t strips = (rows.output + height - 1) / height;
  const std::int64_t all = images * strips;
  const std::int64_t chunks =
      std::clamp<std::int64_t>(most_partial_bytes / (size * item), 1, std::min(most_chunks, all));
  const auto room = [](std::int64_t elements) {
    return Storage(static_cast<std::size_t>(elements * item), Device{});
  };
  const Storage partials = room(chunks * size);
  T* const partial = reinterpret_cast<T*>(partials.data());
  const bool copy = outputs_first() || !readable();
  const std::int64_t work = all / chunks * height * columns.output * size / parts();
  strip_tasks(chunks * parts(), work, [&](std::int64_t task) {
    const std::int64_t chunk = task / parts();
    const Part columns_of_task = part(task % parts());
    T* const sums = partial + chunk * size;
    // A panel's last vector may reach beyond the last run.
    const Storage copied = room(copy ? rows.reach(height) * pitch + Vec<T>::lanes : 0);
    const Storage packed =
        room(outputs_first() ? 0 : height * columns.output * whole_vectors<T>(outputs));
    T* const input = reinterpret_cast<T*>(copied.data());
    const std::int64_t start = all * chunk / chunks, stop = all * (chunk + 1) / chunks;
    for (std::int64_t i = start; i < stop; ++i) {
      const auto first = [&](std::int64_t of) { return of % strips * height; };
      const auto behind = [&](std::int64_t of) {
        return std::min(first(of) + height, rows.output);
      };
      const std::int64_t n = i / strips, begin = first(i), end = behind(i);
      const Ahead next =
          i + 1 < stop ? ahead((i + 1) / strips, first(i + 1), behind(i + 1)) : Ahead();
      if (copy) copy_padded(x, n, inputs, rows, columns, {begin, end, 0, columns.output}, input);
      const Strip strip{n,
                        begin,
                        end,
                        copy ? input : x.pixel(n, rows.first(begin), columns.first(0)),
                        copy ? pitch : x.row,
                        i == start};
      if (outputs_first())
        add_outputs_first(strip, sums);
      else
        add_inputs_first(strip, columns_of_task, next, reinterpret_cast<T*>(packed.data()), sums);
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
    return Axis{x.size(2 + i),    dy.size(2 + i),     dw.size(2 + i),
                params.stride[k], params.dilation[k], params.padding[k]};
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
