// The content-adaptive resampler. One thread computes one result; neighbouring threads compute
// neighbours in a row. The gradient of the image is gathered, not scattered, so that its sums have
// a fixed order: a pixel looks for the taps that read it, among those that can reach it.
#include <array>
#include <cmath>

#include "ops/cuda/launch.cuh"
#include "ops/elementwise.h"
#include "ops/functors_resample.h"
#include "ops/kernels.h"
#include "ops/reduce.h"

namespace mini::cuda {
namespace {

template <class T>
struct Taps {
  const T *kernels, *offsets_h, *offsets_v;
  std::int64_t scale, taps, side, rows, columns, height, width, channels;

  Taps(const Tensor& kernels_, const Tensor& h, const Tensor& v, const Shape& image,
       std::int64_t scale_)
      : kernels(kernels_.data<T>()),
        offsets_h(h.data<T>()),
        offsets_v(v.data<T>()),
        scale(scale_),
        taps(kernels_.shape()[1]),
        side(std::llround(std::sqrt(static_cast<double>(taps)))),
        rows(kernels_.shape()[2]),
        columns(kernels_.shape()[3]),
        height(image[2]),
        width(image[3]),
        channels(image[1]) {}

  __device__ std::int64_t small() const { return rows * columns; }
  __device__ functors::Between<T> x(std::int64_t j, std::int64_t tap, std::int64_t place) const {
    return functors::tap_position(j, tap % side, offsets_h[place], scale, width);
  }
  __device__ functors::Between<T> y(std::int64_t i, std::int64_t tap, std::int64_t place) const {
    return functors::tap_position(i, tap / side, offsets_v[place], scale, height);
  }
};

template <class T>
struct Resample {
  Taps<T> taps;
  const T* image;
  T* result;

  __device__ void operator()(std::int64_t index) const {
    const std::int64_t pixel = index % taps.small(), plane = index / taps.small();
    const std::int64_t n = plane / taps.channels;
    T sum = 0;
    for (std::int64_t t = 0; t < taps.taps; ++t) {
      const std::int64_t place = (n * taps.taps + t) * taps.small() + pixel;
      const auto x = taps.x(pixel % taps.columns, t, place);
      const auto y = taps.y(pixel / taps.columns, t, place);
      const auto around =
          functors::corners(image + plane * taps.height * taps.width, taps.width, x, y);
      sum += taps.kernels[place] * around.value(x.fraction, y.fraction);
    }
    result[index] = sum;
  }
};

template <class T>
struct ResampleGradient {
  Taps<T> taps;
  const T *image, *dy;
  T *dkernels, *doffsets_h, *doffsets_v;

  __device__ void operator()(std::int64_t place) const {
    const std::int64_t pixel = place % taps.small(), t = place / taps.small() % taps.taps;
    const std::int64_t n = place / taps.small() / taps.taps;
    const auto x = taps.x(pixel % taps.columns, t, place);
    const auto y = taps.y(pixel / taps.columns, t, place);
    T value = 0, slope_x = 0, slope_y = 0;
    for (std::int64_t c = 0; c < taps.channels; ++c) {
      const std::int64_t plane = n * taps.channels + c;
      const auto around =
          functors::corners(image + plane * taps.height * taps.width, taps.width, x, y);
      const T d = dy[plane * taps.small() + pixel];
      value += d * around.value(x.fraction, y.fraction);
      slope_x += d * around.slope_x(y.fraction);
      slope_y += d * around.slope_y(x.fraction);
    }
    const T step = static_cast<T>(taps.scale) * taps.kernels[place];
    dkernels[place] = value;
    doffsets_h[place] = step * slope_x;
    doffsets_v[place] = step * slope_y;
  }
};

// The positions along one side of the small image whose taps can read `pixel` of the large one, if
// no offset is above `reach`. Beyond the borders every position reads the first or last two pixels.
struct Reach {
  std::int64_t begin, end;

  template <class T>
  __device__ Reach(std::int64_t pixel, std::int64_t large, std::int64_t small, std::int64_t side,
                   std::int64_t scale, T reach)
      : begin(0), end(small) {
    const T limit = static_cast<T>(large + small);
    if (!(reach < limit)) return;  // NaN, too
    const auto shift = static_cast<std::int64_t>(std::ceil(reach)) * scale + scale + 2;
    if (pixel < large - 2) {
      const std::int64_t first = (pixel - side - shift) / scale - 1;
      begin = first > 0 ? first : 0;
    }
    if (pixel > 1) {
      const std::int64_t last = (pixel + shift) / scale + 2;
      end = last < small ? last : small;
    }
  }
};

template <class T>
struct ResampleImageGradient {
  Taps<T> taps;
  const T *dy, *reach_h, *reach_v;
  T* dx;

  __device__ void operator()(std::int64_t index) const {
    const std::int64_t column = index % taps.width, row = index / taps.width % taps.height;
    const std::int64_t plane = index / taps.width / taps.height, n = plane / taps.channels;
    const Reach rows(row, taps.height, taps.rows, taps.side, taps.scale, *reach_v);
    const Reach columns(column, taps.width, taps.columns, taps.side, taps.scale, *reach_h);
    T sum = 0;
    for (std::int64_t i = rows.begin; i < rows.end; ++i)
      for (std::int64_t j = columns.begin; j < columns.end; ++j)
        for (std::int64_t t = 0; t < taps.taps; ++t) {
          const std::int64_t pixel = i * taps.columns + j;
          const std::int64_t place = (n * taps.taps + t) * taps.small() + pixel;
          const auto y = taps.y(i, t, place);
          if (y.low != row && y.high != row) continue;
          const auto x = taps.x(j, t, place);
          if (x.low != column && x.high != column) continue;
          sum += dy[plane * taps.small() + pixel] * taps.kernels[place] * y.share(row) *
                 x.share(column);
        }
    dx[index] = sum;
  }
};

// max |offsets|, on the device.
Tensor reach_of(const Tensor& offsets) {
  return ops::reduce(Reduction::max, ops::unary(Unary::abs, offsets), std::array{0, 1, 2, 3});
}

}  // namespace

void adaptive_resample(const Tensor& image, const Tensor& kernels, const Tensor& offsets_h,
                       const Tensor& offsets_v, const Tensor& y, std::int64_t scale) {
  visit_real(image.dtype(), "adaptive_resample", [&](auto type) {
    using T = typename decltype(type)::type;
    const Taps<T> taps(kernels, offsets_h, offsets_v, image.shape(), scale);
    for_each(y.numel(), Resample<T>{taps, image.data<T>(), y.data<T>()});
  });
}

void adaptive_resample_gradient(const Tensor& dy, const Tensor& image, const Tensor& kernels,
                                const Tensor& offsets_h, const Tensor& offsets_v,
                                const Tensor& dkernels, const Tensor& doffsets_h,
                                const Tensor& doffsets_v, std::int64_t scale) {
  visit_real(image.dtype(), "adaptive_resample", [&](auto type) {
    using T = typename decltype(type)::type;
    const Taps<T> taps(kernels, offsets_h, offsets_v, image.shape(), scale);
    for_each(kernels.numel(),
             ResampleGradient<T>{taps, image.data<T>(), dy.data<T>(), dkernels.data<T>(),
                                 doffsets_h.data<T>(), doffsets_v.data<T>()});
  });
}

void adaptive_resample_image_gradient(const Tensor& dy, const Tensor& kernels,
                                      const Tensor& offsets_h, const Tensor& offsets_v,
                                      const Tensor& dx, std::int64_t scale) {
  if (kernels.numel() == 0) return;
  const Tensor reach_h = reach_of(offsets_h), reach_v = reach_of(offsets_v);
  visit_real(dy.dtype(), "adaptive_resample", [&](auto type) {
    using T = typename decltype(type)::type;
    const Taps<T> taps(kernels, offsets_h, offsets_v, dx.shape(), scale);
    for_each(dx.numel(), ResampleImageGradient<T>{taps, dy.data<T>(), reach_h.data<T>(),
                                                  reach_v.data<T>(), dx.data<T>()});
  });
}

}  // namespace mini::cuda
