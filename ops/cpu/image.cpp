// Padding, Haar and sparse maps. Every loop runs along rows of memory.
#include <algorithm>
#include <array>
#include <vector>

#include "ops/functors_image.h"
#include "ops/kernels.h"
#include "tensor/parallel.h"

namespace mini::cpu::MINI_ISA {
namespace {

std::vector<std::int64_t> sources(std::int64_t padded, std::int64_t before, std::int64_t size,
                                  PadMode mode) {
  std::vector<std::int64_t> result(static_cast<std::size_t>(padded));
  for (std::size_t i = 0; i < result.size(); ++i)
    result[i] = functors::padding_source(static_cast<std::int64_t>(i), before, size, mode);
  return result;
}

}  // namespace

void pad2d(const Tensor& x, const Tensor& y, PadMode mode, const Padding2d& padding) {
  visit_real(x.dtype(), "pad2d", [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t h = x.shape()[2], w = x.shape()[3], out_w = y.shape()[3];
    const auto rows = sources(y.shape()[2], padding.top, h, mode);
    const auto columns = sources(out_w, padding.left, w, mode);
    const auto out_h = static_cast<std::int64_t>(rows.size());
    const T* const in = x.data<T>();
    T* const out = y.data<T>();
    parallel_for(y.numel() == 0 ? 0 : y.numel() / out_w, 16384 / out_w + 1,
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t k = begin; k < end; ++k) {
                     T* const target = out + k * out_w;
                     const std::int64_t row = rows[static_cast<std::size_t>(k % out_h)];
                     if (row < 0) {
                       std::fill_n(target, out_w, T(0));
                       continue;
                     }
                     const T* const source = in + (k / out_h * h + row) * w;
                     const auto margin = [&](std::int64_t from, std::int64_t to) {
                       for (std::int64_t j = from; j < to; ++j) {
                         const std::int64_t column = columns[static_cast<std::size_t>(j)];
                         target[j] = column < 0 ? T(0) : source[column];
                       }
                     };
                     margin(0, padding.left);
                     std::copy_n(source, w, target + padding.left);
                     margin(padding.left + w, out_w);
                   }
                 });
  });
}

void pad2d_gradient(const Tensor& dy, const Tensor& dx, PadMode mode, const Padding2d& padding) {
  visit_real(dy.dtype(), "pad2d_adjoint", [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t h = dx.shape()[2], w = dx.shape()[3], out_w = dy.shape()[3];
    const auto rows = sources(dy.shape()[2], padding.top, h, mode);
    const auto columns = sources(out_w, padding.left, w, mode);
    const auto out_h = static_cast<std::int64_t>(rows.size());
    const T* const in = dy.data<T>();
    T* const out = dx.data<T>();
    // Several rows of dy fall on one row of dx, so a plane belongs to one thread.
    parallel_for(dx.shape()[0] * dx.shape()[1], 16384 / (h * w + 1) + 1,
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t k = begin * out_h; k < end * out_h; ++k) {
                     const std::int64_t row = rows[static_cast<std::size_t>(k % out_h)];
                     if (row < 0) continue;
                     const T* const source = in + k * out_w;
                     T* const target = out + (k / out_h * h + row) * w;
                     for (std::int64_t j = 0; j < out_w; ++j) {
                       const std::int64_t column = columns[static_cast<std::size_t>(j)];
                       if (column >= 0) target[column] += source[j];
                     }
                   }
                 });
  });
}

void haar(const Tensor& x, const Tensor& y) {
  visit_real(x.dtype(), "haar", [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t channels = x.shape()[1], h = y.shape()[2], w = y.shape()[3];
    const std::int64_t band = channels * h * w;
    const T* const in = x.data<T>();
    T* const out = y.data<T>();
    parallel_for(
        x.shape()[0] * channels * h, 4096 / (w + 1) + 1, [&](std::int64_t begin, std::int64_t end) {
          for (std::int64_t k = begin; k < end; ++k) {  // a row of one channel's bands
            const T* const top = in + k * 4 * w;
            const T* const bottom = top + 2 * w;
            T* const o = out + (k / (channels * h) * 3 * channels * h + k) * w;
            for (std::int64_t j = 0; j < w; ++j) {
              const auto bands =
                  functors::haar<T>({top[2 * j], top[2 * j + 1], bottom[2 * j], bottom[2 * j + 1]});
              o[j] = bands.a;
              o[j + band] = bands.b;
              o[j + 2 * band] = bands.c;
              o[j + 3 * band] = bands.d;
            }
          }
        });
  });
}

void haar_inverse(const Tensor& x, const Tensor& y) {
  visit_real(x.dtype(), "haar_inverse", [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t channels = y.shape()[1], h = x.shape()[2], w = x.shape()[3];
    const std::int64_t band = channels * h * w;
    const T* const in = x.data<T>();
    T* const out = y.data<T>();
    parallel_for(
        x.shape()[0] * channels * h, 4096 / (w + 1) + 1, [&](std::int64_t begin, std::int64_t end) {
          for (std::int64_t k = begin; k < end; ++k) {
            T* const top = out + k * 4 * w;
            T* const bottom = top + 2 * w;
            const T* const i = in + (k / (channels * h) * 3 * channels * h + k) * w;
            for (std::int64_t j = 0; j < w; ++j) {
              const auto square =
                  functors::haar_inverse<T>({i[j], i[j + band], i[j + 2 * band], i[j + 3 * band]});
              top[2 * j] = square.a;
              top[2 * j + 1] = square.b;
              bottom[2 * j] = square.c;
              bottom[2 * j + 1] = square.d;
            }
          }
        });
  });
}

namespace {

constexpr std::int64_t tile = 64;  // lines that a map is applied to together

// y[i·y_step + k] = Σ_t weight[t] · x[source[t]·x_step + k] for the lines k < width <= tile.
template <class T>
void map_lines(const LinearMap& map, const T* weight, const T* x, std::int64_t x_step, T* y,
               std::int64_t y_step, std::int64_t width) {
  for (std::int64_t i = 0; i < map.output_size(); ++i) {
    std::array<T, tile> total{};
    for (std::int64_t t = map.first[static_cast<std::size_t>(i)];
         t < map.first[static_cast<std::size_t>(i) + 1]; ++t) {
      const T w = weight[t];
      const T* const row = x + map.source[static_cast<std::size_t>(t)] * x_step;
      for (std::int64_t k = 0; k < width; ++k) total[static_cast<std::size_t>(k)] += w * row[k];
    }
    std::copy_n(total.begin(), width, y + i * y_step);
  }
}

}  // namespace

void linear_map(const Tensor& x, const LinearMap& map, const Tensor& y) {
  visit_real(x.dtype(), "linear_map", [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t outer = x.shape()[0], inner = x.shape()[2];
    const std::int64_t in_size = map.input_size, out_size = map.output_size();
    const std::vector<T> weight(map.weight.begin(), map.weight.end());
    const T* const in = x.data<T>();
    T* const out = y.data<T>();
    // Elements of a tile; few tiles are not worth a thread.
    const std::int64_t work = (in_size + out_size) * std::min(inner > 1 ? inner : outer, tile);
    const std::int64_t grain = 8192 / (work + 1) + 1;
    if (inner > 1) {  // neighbouring lines are neighbours in memory
      const std::int64_t tiles = (inner + tile - 1) / tile;
      parallel_for(outer * tiles, grain, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t k = begin; k < end; ++k) {
          const std::int64_t o = k / tiles, first = k % tiles * tile;
          map_lines(map, weight.data(), in + o * in_size * inner + first, inner,
                    out + o * out_size * inner + first, inner, std::min(tile, inner - first));
        }
      });
      return;
    }
    // Lines lie one after the other: turn a tile of them round, so that they become neighbours.
    const std::int64_t tiles = (outer + tile - 1) / tile;
    parallel_for(tiles, grain, [&](std::int64_t begin, std::int64_t end) {
      std::vector<T> turned(static_cast<std::size_t>((in_size + out_size) * tile));
      T* const source = turned.data();
      T* const target = source + in_size * tile;
      for (std::int64_t k = begin; k < end; ++k) {
        const std::int64_t first = k * tile, width = std::min(tile, outer - first);
        for (std::int64_t line = 0; line < width; ++line)
          for (std::int64_t i = 0; i < in_size; ++i)
            source[i * tile + line] = in[(first + line) * in_size + i];
        map_lines(map, weight.data(), source, tile, target, tile, width);
        for (std::int64_t line = 0; line < width; ++line)
          for (std::int64_t i = 0; i < out_size; ++i)
            out[(first + line) * out_size + i] = target[i * tile + line];
      }
    });
  });
}

}  // namespace mini::cpu::MINI_ISA
