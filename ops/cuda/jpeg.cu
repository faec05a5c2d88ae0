// The JPEG simulator. A thread block computes one 16x16 tile of an image, entirely in shared
// memory. Tiles are independent (padding repeats pixels of the same tile), and every sum has the
// CPU's order.
#include "ops/cuda/launch.cuh"
#include "ops/functors_jpeg.h"
#include "ops/jpeg.h"
#include "ops/kernels.h"
#include "tensor/view.h"

namespace mini::cuda {
namespace {

constexpr int side = 16, pixels = side * side;
constexpr int coefficients = 6 * 64;  // four blocks of Y, row by row; Cb; Cr
constexpr int threads = 128;

template <class T>
using Tables = functors::JpegTables<T>;

__device__ int luma_place(int i, int j) { return (i / 8 * 2 + j / 8) * 64 + i % 8 * 8 + j % 8; }
__device__ int chroma_place(int i, int j) { return i / 2 * 8 + j / 2; }
__device__ std::int64_t smaller(std::int64_t a, std::int64_t b) { return a < b ? a : b; }

// Calls f(i) for i < count, distributed over the threads of the block, then waits for all of them.
template <class F>
__device__ void together(int count, const F& f) {
  for (int i = static_cast<int>(threadIdx.x); i < count; i += threads) f(i);
  __syncthreads();
}

// The position of this block's tile.
struct Place {
  std::int64_t height, width, image, row, column;

  __device__ Place(std::int64_t image_height, std::int64_t image_width)
      : height(image_height), width(image_width) {
    const std::int64_t down = (height + side - 1) / side, across = (width + side - 1) / side;
    image = blockIdx.x / (down * across);
    row = blockIdx.x / across % down * side;
    column = blockIdx.x % across * side;
  }
  __device__ bool is_inside(int p) const {
    return row + p / side < height && column + p % side < width;
  }
  // The index of element e = colour·256 + pixel; outside the image the last row and column repeat.
  __device__ std::int64_t at(int e) const {
    const std::int64_t i = smaller(row + e % pixels / side, height - 1);
    const std::int64_t j = smaller(column + e % side, width - 1);
    return ((image * 3 + e / pixels) * height + i) * width + j;
  }
};

// The shared memory of a block.
template <class T>
struct Workspace {
  T dct[64];
  T tile[3 * pixels];
  T samples[coefficients], frequencies[coefficients], between[coefficients];
};

template <class T>
__device__ void load(const Tables<T>& tables, const Place& place, const T* x, Workspace<T>& work) {
  together(3 * pixels, [&](int e) { work.tile[e] = x[place.at(e)]; });
  together(64, [&](int k) { work.dct[k] = tables.dct[k]; });
}

// out = A·in·B for each 8x8 block. Forward, A is the DCT matrix and B its transpose; inverse, the
// other way round.
template <class T>
__device__ void transform(Workspace<T>& work, bool is_inverse, const T* in, T* out) {
  T *const dct = work.dct, *const between = work.between;
  together(coefficients, [&](int e) {
    const int i = e % 64 / 8, j = e % 8;
    T sum = 0;
    for (int k = 0; k < 8; ++k)
      sum += (is_inverse ? dct[k * 8 + i] : dct[i * 8 + k]) * in[e / 64 * 64 + k * 8 + j];
    between[e] = sum;
  });
  together(coefficients, [&](int e) {
    const int j = e % 8;
    T sum = 0;
    for (int k = 0; k < 8; ++k)
      sum += between[e / 8 * 8 + k] * (is_inverse ? dct[k * 8 + j] : dct[j * 8 + k]);
    out[e] = sum;
  });
}

// Calls f(pixel) for the four pixels that share a chroma sample, row by row.
template <class F>
__device__ void for_each_sharing(int chroma, const F& f) {
  const int first = chroma / 8 * 2 * side + chroma % 8 * 2;
  f(first);
  f(first + 1);
  f(first + side);
  f(first + side + 1);
}

// tile -> samples: luma minus offset for every pixel; chroma times weight, summed over four pixels.
template <class T, class Mix>
__device__ void to_samples(Workspace<T>& work, T offset, T weight, const Mix& mix) {
  together(pixels + 128, [&](int e) {
    if (e < pixels) {
      work.samples[luma_place(e / side, e % side)] = mix(0, e) - offset;
      return;
    }
    T sum = 0;
    for_each_sharing(e % 64, [&](int p) { sum += mix(1 + (e - pixels) / 64, p) * weight; });
    work.samples[e] = sum;
  });
}

// samples -> tile: f(colour, luma, Cb, Cr) for every pixel.
template <class T, class F>
__device__ void to_tile(Workspace<T>& work, const F& f) {
  together(3 * pixels, [&](int e) {
    const int i = e % pixels / side, j = e % side, chroma = chroma_place(i, j);
    work.tile[e] = f(e / pixels, work.samples[luma_place(i, j)], work.samples[256 + chroma],
                     work.samples[320 + chroma]);
  });
}

// Simulates JPEG on `tile`, in place, but does not clamp. If scale > 0, `frequencies` keeps the
// coefficients, in steps, before rounding.
template <class T>
__device__ void forward(const Tables<T>& tables, double scale, Workspace<T>& work) {
  to_samples(work, T(128), T(0.25), [&](int component, int p) {
    return functors::mix_colours(tables.to_ycc[component], work.tile[p] * T(255),
                                 work.tile[pixels + p] * T(255),
                                 work.tile[2 * pixels + p] * T(255));
  });
  transform(work, false, work.samples, work.frequencies);
  together(coefficients, [&](int e) {
    const T step = static_cast<T>(tables.steps[e >= 256][e % 64] * scale);
    T value = work.frequencies[e];
    if (scale > 0) {
      work.frequencies[e] = value = value / step;
      value = functors::soft_round(value) * step;
    }
    work.samples[e] = value;
  });
  transform(work, true, work.samples, work.samples);
  to_tile(work, [&](int colour, T y, T cb, T cr) {
    return functors::join_colours(tables.to_rgb[colour], y, cb, cr);
  });
}

// Propagates the gradient in `tile`, in place, through everything but the clamp.
template <class T>
__device__ void backward(const Tables<T>& tables, double scale, Workspace<T>& work) {
  to_samples(work, T(0), T(1), [&](int component, int p) {
    return functors::join_colours_adjoint(tables.to_rgb, component, work.tile[p] / T(255),
                                          work.tile[pixels + p] / T(255),
                                          work.tile[2 * pixels + p] / T(255));
  });
  transform(work, false, work.samples, work.samples);
  together(coefficients, [&](int e) {
    if (scale > 0) work.samples[e] *= functors::soft_round_slope(work.frequencies[e]);
  });
  transform(work, true, work.samples, work.samples);
  to_tile(work, [&](int colour, T dy, T dcb, T dcr) {
    return functors::mix_colours_adjoint(tables.to_ycc, colour, dy, dcb, dcr);
  });
}

template <class T>
__global__ void jpeg_kernel(const __grid_constant__ Tables<T> tables, const double* scales,
                            const T* x, T* y, std::int64_t height, std::int64_t width) {
  __shared__ Workspace<T> work;
  const Place place(height, width);
  load(tables, place, x, work);
  forward(tables, scales[place.image], work);
  together(3 * pixels, [&](int e) {
    const T value = work.tile[e];
    if (place.is_inside(e % pixels))
      y[place.at(e)] = value < T(0) ? T(0) : value > T(1) ? T(1) : value;
  });
}

template <class T>
__global__ void jpeg_gradient_kernel(const __grid_constant__ Tables<T> tables, const double* scales,
                                     const T* dy, const T* x, T* dx, std::int64_t height,
                                     std::int64_t width) {
  __shared__ Workspace<T> work;
  const Place place(height, width);
  load(tables, place, x, work);
  forward(tables, scales[place.image], work);
  together(3 * pixels, [&](int e) {
    const bool free = work.tile[e] >= T(0) && work.tile[e] <= T(1);
    work.tile[e] = free && place.is_inside(e % pixels) ? dy[place.at(e)] : T(0);
  });
  backward(tables, scales[place.image], work);
  // A pixel of the last row or column sums the gradients of its repetitions.
  together(3 * pixels, [&](int e) {
    if (!place.is_inside(e % pixels)) return;
    const int i = e % pixels / side, j = e % side;
    const int last_i = place.row + i == height - 1 ? side - 1 : i;
    const int last_j = place.column + j == width - 1 ? side - 1 : j;
    T sum = 0;
    for (int from_i = i; from_i <= last_i; ++from_i)
      for (int from_j = j; from_j <= last_j; ++from_j)
        sum += work.tile[e / pixels * pixels + from_i * side + from_j];
    dx[place.at(e)] = sum;
  });
}

std::int64_t tiles_of(const Shape& x) {
  return x[0] * ((x[2] + side - 1) / side) * ((x[3] + side - 1) / side);
}

Tensor on_device(std::span<const double> scales, Device device) {
  return ops::to_device(Tensor::from(scales, {std::ssize(scales)}), device);
}

}  // namespace

void diff_jpeg(const Tensor& x, std::span<const double> scales, const Tensor& y) {
  if (x.numel() == 0) return;
  const Tensor factors = on_device(scales, x.device());
  visit_real(x.dtype(), "diff_jpeg", [&](auto type) {
    using T = typename decltype(type)::type;
    launch({tiles_of(x.shape()), threads}, jpeg_kernel<T>, Tables<T>(ops::dct_matrix().data()),
           factors.data<double>(), x.data<T>(), y.data<T>(), x.shape()[2], x.shape()[3]);
  });
}

void diff_jpeg_gradient(const Tensor& dy, const Tensor& x, std::span<const double> scales,
                        const Tensor& dx) {
  if (x.numel() == 0) return;
  const Tensor factors = on_device(scales, x.device());
  visit_real(x.dtype(), "diff_jpeg", [&](auto type) {
    using T = typename decltype(type)::type;
    launch({tiles_of(x.shape()), threads}, jpeg_gradient_kernel<T>,
           Tables<T>(ops::dct_matrix().data()), factors.data<double>(), dy.data<T>(), x.data<T>(),
           dx.data<T>(), x.shape()[2], x.shape()[3]);
  });
}

}  // namespace mini::cuda
