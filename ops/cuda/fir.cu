// Finite filters: one thread per element of the result, neighbours in the same pixel.
#include "ops/cuda/launch.cuh"
#include "ops/functors_fir.h"
#include "ops/kernels.h"

namespace mini::cuda {
namespace {

// One axis of image and filter.
struct FirAxis {
  std::int64_t size, result, kernel, up, down, before;

  __device__ functors::FirTaps at(std::int64_t place) const {
    return functors::fir_taps(place, size, kernel, up, down, before);
  }
};

template <class T>
struct UpFirDn {
  FirAxis down, across;
  std::int64_t channels;
  const T* x;
  const T* kernel;
  T* y;

  __device__ void operator()(std::int64_t i) const {
    const std::int64_t pixel = i / channels, line = pixel / across.result;
    const functors::FirTaps rows = down.at(line % down.result);
    const functors::FirTaps columns = across.at(pixel % across.result);
    const T* const plane = x + line / down.result * down.size * across.size * channels;
    Wide<T> total = 0;
    for (std::int64_t a = 0; a < rows.count; ++a)
      for (std::int64_t b = 0; b < columns.count; ++b) {
        const std::int64_t row = down.kernel - 1 - rows.first - a * down.up;
        const std::int64_t column = across.kernel - 1 - columns.first - b * across.up;
        const std::int64_t from = (rows.pixel + a) * across.size + columns.pixel + b;
        total += static_cast<Wide<T>>(kernel[row * across.kernel + column]) *
                 static_cast<Wide<T>>(plane[from * channels + i % channels]);
      }
    y[i] = static_cast<T>(total);
  }
};

}  // namespace

void upfirdn2d(const Tensor& x, const Tensor& kernel, const Tensor& y, const FirParams& params) {
  visit_floating(y.dtype(), "upfirdn2d", [&](auto type) {
    using T = typename decltype(type)::type;
    for_each(y.numel(), UpFirDn<T>{.down = {x.size(1), y.size(1), kernel.size(0), params.up,
                                            params.down, params.padding.top},
                                   .across = {x.size(2), y.size(2), kernel.size(1), params.up,
                                              params.down, params.padding.left},
                                   .channels = x.size(3),
                                   .x = x.data<T>(),
                                   .kernel = kernel.data<T>(),
                                   .y = y.data<T>()});
  });
}

}  // namespace mini::cuda
