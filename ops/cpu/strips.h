// What the convolution kernels share: where a correlation looks, and copies of parts of images with
// their padding.
//
// The kernels read channels-last pixels without gaps, so that the inputs of one output pixel within
// one row of the kernel, (kx, c), are one run of memory, and know no borders. Where an image is not
// so or the border is near, they read a copy that has zeros where the padding is. Images are cut
// into strips of rows that fit in the second-level cache; how depends on the shape alone, never on
// the number of threads.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "tensor/parallel.h"
#include "tensor/tensor.h"

namespace mini::cpu::MINI_ISA {

// One axis of a correlation: output i looks at inputs i·stride + a·dilation - before, a < kernel,
// which are zeros outside [0, input).
struct Axis {
  std::int64_t input, output, kernel, stride, dilation, before;

  // The first position that output i looks at, and how many positions `outputs` of them look over.
  std::int64_t first(std::int64_t i) const { return i * stride - before; }
  std::int64_t reach(std::int64_t outputs) const {
    return (outputs - 1) * stride + dilation * (kernel - 1) + 1;
  }
  // Outputs [inner_begin, inner_end) look at input values only.
  std::int64_t inner_begin() const {
    return std::clamp<std::int64_t>((before + stride - 1) / stride, 0, output);
  }
  std::int64_t inner_end() const {
    const std::int64_t last = input - reach(1) + before;
    return std::clamp<std::int64_t>(last < 0 ? 0 : last / stride + 1, inner_begin(), output);
  }
};

// Outputs [top, bottom) x [left, right).
struct Region {
  std::int64_t top, bottom, left, right;
  std::int64_t height() const { return bottom - top; }
  std::int64_t width() const { return right - left; }
  bool empty() const { return height() <= 0 || width() <= 0; }
};

// Some channels of an [N,C,H,W] tensor with any strides.
template <class T>
struct ImageView {
  T* data;
  std::int64_t image, channel, row, column;  // strides

  ImageView(const Tensor& x, std::int64_t first_channel)
      : data(x.data<std::remove_const_t<T>>() + first_channel * x.strides()[1]),
        image(x.strides()[0]),
        channel(x.strides()[1]),
        row(x.strides()[2]),
        column(x.strides()[3]) {}
  T* pixel(std::int64_t n, std::int64_t y, std::int64_t x) const {
    return data + n * image + y * row + x * column;
  }
};

// Copies the positions that a region of image n looks at: out[row][column][channel].
template <class T>
void copy_padded(const ImageView<const T>& x, std::int64_t n, std::int64_t channels,
                 const Axis& rows, const Axis& columns, const Region& region, T* out) {
  const std::int64_t width = columns.reach(region.width());
  const std::int64_t pitch = width * channels;
  const std::int64_t before = -columns.first(region.left);
  for (std::int64_t i = 0; i < rows.reach(region.height()); ++i, out += pitch) {
    const std::int64_t row = rows.first(region.top) + i;
    if (row < 0 || row >= rows.input) {
      std::fill_n(out, pitch, T(0));
      continue;
    }
    const T* const from = x.pixel(n, row, 0);
    // Input columns [left, right) are seen; `left` lands at place(left).
    const auto place = [&](std::int64_t j) { return j + before; };
    const std::int64_t left = std::max<std::int64_t>(0, -before);
    const std::int64_t right = std::min(columns.input, width - before);
    if (left >= right) {
      std::fill_n(out, pitch, T(0));
    } else {
      std::fill_n(out, place(left) * channels, T(0));
      std::fill(out + place(right) * channels, out + pitch, T(0));
    }
    if (x.channel == 1 && x.column == channels && left < right) {
      std::copy(from + left * channels, from + right * channels, out + place(left) * channels);
    } else if (x.channel == 1) {
      for (std::int64_t j = left; j < right; ++j)
        std::copy_n(from + j * x.column, channels, out + place(j) * channels);
    } else {
      for (std::int64_t c = 0; c < channels; ++c)
        for (std::int64_t j = left; j < right; ++j)
          out[place(j) * channels + c] = from[c * x.channel + j * x.column];
    }
  }
}

// How many output rows a strip covers: as many as keep it in about `bytes`, spread evenly.
inline std::int64_t strip_rows(const Axis& rows, std::int64_t bytes_per_row, std::int64_t bytes) {
  std::int64_t count = 1;
  while (count < rows.output && rows.reach(count + 1) * bytes_per_row <= bytes) ++count;
  const std::int64_t strips = (rows.output + count - 1) / count;
  return (rows.output + strips - 1) / strips;
}

// The runs of memory, in an image whose rows are `pitch` apart, that the first output pixel looks
// at: one per kernel row, or one per kernel element where dilation tears the row apart.
struct Runs {
  std::vector<std::int64_t> offset;
  std::int64_t length;

  Runs(const Axis& rows, const Axis& columns, std::int64_t channels, std::int64_t pitch) {
    const bool whole = columns.dilation == 1 || columns.kernel == 1;
    length = (whole ? columns.kernel : 1) * channels;
    for (std::int64_t a = 0; a < rows.kernel; ++a)
      for (std::int64_t b = 0; b < (whole ? 1 : columns.kernel); ++b)
        offset.push_back(a * rows.dilation * pitch + b * columns.dilation * channels);
  }
  std::int64_t count() const { return static_cast<std::int64_t>(offset.size()); }
};

// Memory that the processor is asked to fetch, line by line, while it computes something else.
class Ahead {
 public:
  template <class T>
  void add(const T* from, std::int64_t count) {
    if (count > 0)
      ranges_.push_back({reinterpret_cast<const char*>(from), count * std::int64_t{sizeof(T)}});
  }
  std::int64_t lines() const {
    std::int64_t result = 0;
    for (const Range& range : ranges_) result += (range.bytes + line - 1) / line;
    return result;
  }
  void fetch(std::int64_t count) {
    for (; count > 0 && !ranges_.empty(); --count) {
      Range& last = ranges_.back();
      __builtin_prefetch(last.from, 0, 2);
      last = {last.from + line, last.bytes - line};
      if (last.bytes <= 0) ranges_.pop_back();
    }
  }

 private:
  static constexpr std::int64_t line = 64;
  struct Range {
    const char* from;
    std::int64_t bytes;
  };
  std::vector<Range> ranges_;
};

// Runs body(0), ..., body(count - 1), each of about `work` multiply-adds, in parallel where there
// is enough to do: waking a thread costs as much as some hundred thousand.
template <class Body>
void strip_tasks(std::int64_t count, std::int64_t work, const Body& body) {
  if (count * work < 400000)
    for (std::int64_t i = 0; i < count; ++i) body(i);
  else
    parallel_tasks(count, body);
}

}  // namespace mini::cpu::MINI_ISA
