// Finite filters: each pixel of the result is a weighted sum of pixels, all channels at a time.
#include <algorithm>
#include <array>
#include <vector>

#include "ops/functors_fir.h"
#include "ops/kernels.h"
#include "tensor/parallel.h"

namespace mini::cpu::MINI_ISA {
namespace {

constexpr std::int64_t tile = 64;  // channels that are summed together, in registers

template <class T>
struct Filter {
  const T* kernel;
  std::int64_t kernel_rows, kernel_columns, up;
  std::int64_t row_size, channels;  // of x

  // One pixel: taps and pixels of its two axes, from a plane of x.
  void operator()(const functors::FirTaps& rows, const functors::FirTaps& columns, const T* plane,
                  T* y) const {
    for (std::int64_t c = 0; c < channels; c += tile) {
      const std::int64_t width = std::min(tile, channels - c);
      std::array<T, tile> total{};
      for (std::int64_t a = 0; a < rows.count; ++a)
        for (std::int64_t b = 0; b < columns.count; ++b) {
          const std::int64_t row = kernel_rows - 1 - rows.first - a * up;
          const std::int64_t column = kernel_columns - 1 - columns.first - b * up;
          const T weight = kernel[row * kernel_columns + column];
          const T* const from =
              plane + (rows.pixel + a) * row_size + (columns.pixel + b) * channels + c;
          for (std::int64_t k = 0; k < width; ++k)
            total[static_cast<std::size_t>(k)] += weight * from[k];
        }
      std::copy_n(total.begin(), width, y + c);
    }
  }
};

}  // namespace

void upfirdn2d(const Tensor& x, const Tensor& kernel, const Tensor& y, const FirParams& params) {
  visit_real(y.dtype(), "upfirdn2d", [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t height = x.size(1), width = x.size(2), channels = x.size(3);
    const std::int64_t out_height = y.size(1), out_width = y.size(2);
    const Filter<T> filter{kernel.data<T>(), kernel.size(0),   kernel.size(1),
                           params.up,        width * channels, channels};
    std::vector<functors::FirTaps> columns;
    for (std::int64_t j = 0; j < out_width; ++j)
      columns.push_back(functors::fir_taps(j, width, filter.kernel_columns, params.up, params.down,
                                           params.padding.left));
    const T* const in = x.data<T>();
    T* const out = y.data<T>();
    const std::int64_t grain = 1 + 4096 / (out_width * channels);
    parallel_for(y.size(0) * out_height, grain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t line = begin; line < end; ++line) {
        const auto rows = functors::fir_taps(line % out_height, height, filter.kernel_rows,
                                             params.up, params.down, params.padding.top);
        const T* const plane = in + line / out_height * height * filter.row_size;
        for (std::int64_t j = 0; j < out_width; ++j)
          filter(rows, columns[static_cast<std::size_t>(j)], plane,
                 out + (line * out_width + j) * channels);
      }
    });
  });
}

}  // namespace mini::cpu::MINI_ISA
