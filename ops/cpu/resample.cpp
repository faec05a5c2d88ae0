// The content-adaptive resampler. Loops run over taps outside and over a row of the small image
// inside, as kernels and offsets lie in memory.
#include <algorithm>
#include <cmath>
#include <vector>

#include "ops/functors_resample.h"
#include "ops/kernels.h"
#include "tensor/parallel.h"

namespace mini::cpu::MINI_ISA {
namespace {

// The sizes and the loop that forward and both gradients share.
template <class T>
struct Taps {
  const T *kernels, *offsets_h, *offsets_v;
  std::int64_t scale, taps, side, rows, columns, height, width;  // small and large sides

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
        width(image[3]) {}

  // Calls f(place among the taps, column j, x, y) for the taps of row i of image n.
  template <class F>
  void for_each_of_row(std::int64_t n, std::int64_t i, const F& f) const {
    for (std::int64_t t = 0; t < taps; ++t) {
      const std::int64_t row = ((n * taps + t) * rows + i) * columns;
      for (std::int64_t j = 0; j < columns; ++j)
        f(row + j, j, functors::tap_position(j, t % side, offsets_h[row + j], scale, width),
          functors::tap_position(i, t / side, offsets_v[row + j], scale, height));
    }
  }
};

// How many rows of the small image make a thread's task large enough to be worth its start.
template <class T>
std::int64_t grain(const Taps<T>& taps) {
  return 1024 / (taps.taps * taps.columns + 1) + 1;
}

}  // namespace

void adaptive_resample(const Tensor& image, const Tensor& kernels, const Tensor& offsets_h,
                       const Tensor& offsets_v, const Tensor& y, std::int64_t scale) {
  visit_real(image.dtype(), "adaptive_resample", [&](auto type) {
    using T = typename decltype(type)::type;
    const Taps<T> taps(kernels, offsets_h, offsets_v, image.shape(), scale);
    const std::int64_t channels = image.shape()[1], plane = taps.height * taps.width;
    const std::int64_t small = taps.rows * taps.columns;
    const T* const in = image.data<T>();
    T* const out = y.data<T>();
    parallel_for(
        image.shape()[0] * taps.rows, grain(taps), [&](std::int64_t begin, std::int64_t end) {
          for (std::int64_t r = begin; r < end; ++r) {
            const std::int64_t n = r / taps.rows, i = r % taps.rows;
            T* const row = out + n * channels * small + i * taps.columns;
            for (std::int64_t c = 0; c < channels; ++c)
              std::fill_n(row + c * small, taps.columns, T(0));
            taps.for_each_of_row(n, i, [&](auto place, auto j, const auto& x, const auto& v) {
              for (std::int64_t c = 0; c < channels; ++c) {
                const auto around =
                    functors::corners(in + (n * channels + c) * plane, taps.width, x, v);
                row[c * small + j] += taps.kernels[place] * around.value(x.fraction, v.fraction);
              }
            });
          }
        });
  });
}

void adaptive_resample_gradient(const Tensor& dy, const Tensor& image, const Tensor& kernels,
                                const Tensor& offsets_h, const Tensor& offsets_v,
                                const Tensor& dkernels, const Tensor& doffsets_h,
                                const Tensor& doffsets_v, std::int64_t scale) {
  visit_real(image.dtype(), "adaptive_resample", [&](auto type) {
    using T = typename decltype(type)::type;
    const Taps<T> taps(kernels, offsets_h, offsets_v, image.shape(), scale);
    const std::int64_t channels = image.shape()[1], plane = taps.height * taps.width;
    const std::int64_t small = taps.rows * taps.columns;
    const T* const in = image.data<T>();
    const T* const upper = dy.data<T>();
    T* const dk = dkernels.data<T>();
    T* const dh = doffsets_h.data<T>();
    T* const dv = doffsets_v.data<T>();
    parallel_for(
        image.shape()[0] * taps.rows, grain(taps), [&](std::int64_t begin, std::int64_t end) {
          for (std::int64_t r = begin; r < end; ++r) {
            const std::int64_t n = r / taps.rows, i = r % taps.rows;
            const T* const row = upper + n * channels * small + i * taps.columns;
            taps.for_each_of_row(n, i, [&](auto place, auto j, const auto& x, const auto& v) {
              T value = 0, slope_x = 0, slope_y = 0;
              for (std::int64_t c = 0; c < channels; ++c) {
                const auto around =
                    functors::corners(in + (n * channels + c) * plane, taps.width, x, v);
                const T d = row[c * small + j];
                value += d * around.value(x.fraction, v.fraction);
                slope_x += d * around.slope_x(v.fraction);
                slope_y += d * around.slope_y(x.fraction);
              }
              const T step = static_cast<T>(scale) * taps.kernels[place];
              dk[place] = value;
              dh[place] = step * slope_x;
              dv[place] = step * slope_y;
            });
          }
        });
  });
}

void adaptive_resample_image_gradient(const Tensor& dy, const Tensor& kernels,
                                      const Tensor& offsets_h, const Tensor& offsets_v,
                                      const Tensor& dx, std::int64_t scale) {
  visit_real(dy.dtype(), "adaptive_resample", [&](auto type) {
    using T = typename decltype(type)::type;
    const Taps<T> taps(kernels, offsets_h, offsets_v, dx.shape(), scale);
    const std::int64_t channels = dx.shape()[1], plane = taps.height * taps.width;
    const std::int64_t small = taps.rows * taps.columns;
    const T* const upper = dy.data<T>();
    T* const out = dx.data<T>();
    // Taps of many rows fall on one pixel, so a plane belongs to one thread.
    parallel_for(dx.shape()[0] * channels, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t p = begin; p < end; ++p) {
        T* const target = out + p * plane;
        for (std::int64_t i = 0; i < taps.rows; ++i) {
          const T* const row = upper + p * small + i * taps.columns;
          taps.for_each_of_row(p / channels, i,
                               [&](auto place, auto j, const auto& x, const auto& v) {
                                 const T d = row[j] * taps.kernels[place];
                                 const T low = d * (T(1) - v.fraction), high = d * v.fraction;
                                 T* const top = target + v.low * taps.width;
                                 T* const bottom = target + v.high * taps.width;
                                 top[x.low] += low * (T(1) - x.fraction);
                                 top[x.high] += low * x.fraction;
                                 bottom[x.low] += high * (T(1) - x.fraction);
                                 bottom[x.high] += high * x.fraction;
                               });
        }
      }
    });
  });
}

}  // namespace mini::cpu::MINI_ISA
