// Convolution on a GPU. cuDNN computes it where it can (ops/cuda/conv_cudnn.h). Otherwise the
// kernels below do, which take any dtype, strides, padding, dilation and groups; float64 always
// uses them:
//   F  y[n,o,i,j]  = sum of w[o,c,a,b] x[n,c, i s + a d - p, j s + b d - p] over c, a, b
//   D  dx[n,c,h,w] = sum of w[o,c,a,b] dy[n,o,i,j] over o and all i, j, a, b that lead to h, w
//   W  dw[o,c,a,b] = sum of dy[n,o,i,j] x[n,c, i s + a d - p, ...] over n, i, j
// One thread computes one result; neighbouring threads write neighbouring addresses (channels
// innermost). W has few results and long sums, so the pixels are divided into chunks: a thread sums
// over one chunk, and the chunks' sums are then added in order. Without atomics, every run gives
// the same bits.
#include "ops/cuda/conv_cudnn.h"
#include "ops/cuda/launch.cuh"
#include "ops/kernels.h"
#include "tensor/view.h"

namespace mini::cuda {
namespace {

using Strides = std::array<std::int64_t, 4>;

Strides strides_of(const Tensor& t) {
  const Shape& s = t.strides();
  return {s[0], s[1], s[2], s[3]};
}

// What the three kernels share. T is the type in memory.
template <class T>
struct Convolution {
  T *x, *w, *y;
  Strides x_strides, y_strides;
  std::int64_t channels, height, width;         // of x
  std::int64_t outputs, out_height, out_width;  // of y
  std::int64_t group_channels, group_outputs;   // of one group
  std::int64_t taps_high, taps_wide;            // of the kernel
  Conv2dParams params;

  Convolution(const Tensor& image, const Tensor& filter, const Tensor& result,
              const Conv2dParams& p)
      : x(image.data<T>()),
        w(filter.data<T>()),
        y(result.data<T>()),
        x_strides(strides_of(image)),
        y_strides(strides_of(result)),
        channels(image.size(1)),
        height(image.size(2)),
        width(image.size(3)),
        outputs(result.size(1)),
        out_height(result.size(2)),
        out_width(result.size(3)),
        group_channels(filter.size(1)),
        group_outputs(filter.size(0) / p.groups),
        taps_high(filter.size(2)),
        taps_wide(filter.size(3)),
        params(p) {}

  __device__ Wide<T> weight(std::int64_t o, std::int64_t c, std::int64_t a, std::int64_t b) const {
    return static_cast<Wide<T>>(w[((o * group_channels + c) * taps_high + a) * taps_wide + b]);
  }
  __device__ std::int64_t row(std::int64_t i, std::int64_t a) const {
    return i * params.stride[0] + a * params.dilation[0] - params.padding[0];
  }
  __device__ std::int64_t column(std::int64_t j, std::int64_t b) const {
    return j * params.stride[1] + b * params.dilation[1] - params.padding[1];
  }
};

__device__ inline std::int64_t place(const Strides& s, std::int64_t n, std::int64_t c,
                                     std::int64_t i, std::int64_t j) {
  return n * s[0] + c * s[1] + i * s[2] + j * s[3];
}

template <class T>
struct Forward {
  Convolution<T> conv;
  const T* bias;  // null: no bias

  __device__ void operator()(std::int64_t t) const {
    const Convolution<T>& k = conv;
    const std::int64_t o = t % k.outputs, j = t / k.outputs % k.out_width,
                       i = t / k.outputs / k.out_width % k.out_height,
                       n = t / k.outputs / k.out_width / k.out_height;
    const std::int64_t first = o / k.group_outputs * k.group_channels;
    Wide<T> sum = bias != nullptr ? static_cast<Wide<T>>(bias[o]) : Wide<T>(0);
    for (std::int64_t a = 0; a < k.taps_high; ++a)
      for (std::int64_t b = 0; b < k.taps_wide; ++b) {
        const std::int64_t row = k.row(i, a), column = k.column(j, b);
        if (row < 0 || row >= k.height || column < 0 || column >= k.width) continue;
        const T* const x = k.x + place(k.x_strides, n, first, row, column);
        for (std::int64_t c = 0; c < k.group_channels; ++c)
          sum = std::fma(k.weight(o, c, a, b), static_cast<Wide<T>>(x[c * k.x_strides[1]]), sum);
      }
    k.y[place(k.y_strides, n, o, i, j)] = T(sum);
  }
};

template <class T>
struct InputGradient {
  Convolution<T> conv;

  __device__ void operator()(std::int64_t t) const {
    const Convolution<T>& k = conv;
    const std::int64_t c = t % k.channels, column = t / k.channels % k.width,
                       row = t / k.channels / k.width % k.height,
                       n = t / k.channels / k.width / k.height;
    const std::int64_t first = c / k.group_channels * k.group_outputs;
    const auto& [stride, padding, dilation, groups] = k.params;
    Wide<T> sum = 0;
    for (std::int64_t a = 0; a < k.taps_high; ++a)
      for (std::int64_t b = 0; b < k.taps_wide; ++b) {
        const std::int64_t i = row + padding[0] - a * dilation[0];
        const std::int64_t j = column + padding[1] - b * dilation[1];
        if (i < 0 || i % stride[0] != 0 || i / stride[0] >= k.out_height || j < 0 ||
            j % stride[1] != 0 || j / stride[1] >= k.out_width)
          continue;
        const T* const y = k.y + place(k.y_strides, n, first, i / stride[0], j / stride[1]);
        for (std::int64_t o = 0; o < k.group_outputs; ++o)
          sum = std::fma(k.weight(first + o, c % k.group_channels, a, b),
                         static_cast<Wide<T>>(y[o * k.y_strides[1]]), sum);
      }
    k.x[place(k.x_strides, n, c, row, column)] = T(sum);
  }
};

// sums[chunk][o,c,a,b], each over the pixels of y in one chunk.
template <class T>
struct WeightSums {
  Convolution<T> conv;
  std::int64_t weights, pixels, chunk;  // chunk: number of pixels
  Wide<T>* sums;

  __device__ void operator()(std::int64_t t) const {
    const Convolution<T>& k = conv;
    const std::int64_t index = t % weights, begin = t / weights * chunk;
    const std::int64_t b = index % k.taps_wide, a = index / k.taps_wide % k.taps_high,
                       c = index / k.taps_wide / k.taps_high % k.group_channels,
                       o = index / k.taps_wide / k.taps_high / k.group_channels;
    const std::int64_t channel = o / k.group_outputs * k.group_channels + c;
    const std::int64_t end = begin + chunk < pixels ? begin + chunk : pixels;
    Wide<T> sum = 0;
    for (std::int64_t pixel = begin; pixel < end; ++pixel) {
      const std::int64_t j = pixel % k.out_width, i = pixel / k.out_width % k.out_height,
                         n = pixel / k.out_width / k.out_height;
      const std::int64_t row = k.row(i, a), column = k.column(j, b);
      if (row < 0 || row >= k.height || column < 0 || column >= k.width) continue;
      sum = std::fma(static_cast<Wide<T>>(k.x[place(k.x_strides, n, channel, row, column)]),
                     static_cast<Wide<T>>(k.y[place(k.y_strides, n, o, i, j)]), sum);
    }
    sums[t] = sum;
  }
};

template <class T>
struct AddChunks {
  const Wide<T>* sums;
  std::int64_t weights, chunks;
  T* dw;

  __device__ void operator()(std::int64_t index) const {
    Wide<T> sum = 0;
    for (std::int64_t chunk = 0; chunk < chunks; ++chunk) sum += sums[chunk * weights + index];
    dw[index] = T(sum);
  }
};

}  // namespace

void conv2d(const Tensor& x, const Tensor& w, const Tensor& bias, const Tensor& y,
            const Conv2dParams& params) {
  if (dnn::convolve(dnn::Direction::forward, x, w, y, params, bias)) return;
  visit_floating(x.dtype(), "conv2d", [&](auto type) {
    using T = typename decltype(type)::type;
    for_each(y.numel(), Forward<T>{Convolution<T>(x, w, y, params),
                                   bias.defined() ? bias.data<T>() : nullptr});
  });
}

void conv2d_input_gradient(const Tensor& dy, const Tensor& w, const Tensor& dx,
                           const Conv2dParams& params) {
  if (dnn::convolve(dnn::Direction::input_gradient, dx, w, dy, params)) return;
  visit_floating(dy.dtype(), "conv2d_input_gradient", [&](auto type) {
    using T = typename decltype(type)::type;
    for_each(dx.numel(), InputGradient<T>{Convolution<T>(dx, w, dy, params)});
  });
}

void conv2d_weight_gradient(const Tensor& x, const Tensor& dy, const Tensor& dw,
                            const Conv2dParams& params) {
  if (dnn::convolve(dnn::Direction::weight_gradient, x, dw, dy, params)) return;
  visit_floating(x.dtype(), "conv2d_weight_gradient", [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t weights = dw.numel(), pixels = dy.size(0) * dy.size(2) * dy.size(3);
    // Enough threads to fill any GPU; chunks long enough that the memory for their sums is small.
    constexpr std::int64_t threads_wanted = std::int64_t{1} << 18, shortest = 64;
    const std::int64_t chunk = std::max(shortest, pixels * weights / threads_wanted);
    const std::int64_t chunks = (pixels + chunk - 1) / chunk;
    const Tensor sums = Tensor::empty({chunks * weights}, dtype_of<Wide<T>>(), dw.device());
    auto* const values = sums.data<Wide<T>>();
    for_each(chunks * weights,
             WeightSums<T>{Convolution<T>(x, dw, dy, params), weights, pixels, chunk, values});
    for_each(weights, AddChunks<T>{values, weights, chunks, dw.data<T>()});
  });
}

}  // namespace mini::cuda
