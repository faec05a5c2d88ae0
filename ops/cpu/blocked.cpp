// The layout of blocked images and the two forward kernels; see blocked.h. The weight gradients are
// in blocked_gradient.cpp.
//
// A kernel keeps a tile of outputs in registers over all input channels and all nine taps, so that
// the only traffic besides two vectors of weights is one broadcast (wide) or one vector (thin) per
// pixel for two or three multiply-adds: enough to run at the speed of the multipliers.
#include "ops/cpu/blocked.h"

#include <algorithm>
#include <utility>

#include "ops/cpu/simd.h"

namespace mini::cpu::MINI_ISA::blocked {
namespace {

using Vector = Vec<float>;
constexpr std::int64_t lanes = Vector::lanes;

// Sizes of the tiles: the accumulators must fit the registers and be enough to hide the latency of
// a multiply-add.
constexpr int wide_vectors = 2;
constexpr int wide_pixels = lanes == 16 ? 8 : 6;
constexpr int thin_outputs = 3;
constexpr int thin_pixels = lanes / 2;
// The bias in front of a packed tile: padded so that the weights behind it stay aligned.
constexpr std::int64_t wide_tile = wide_vectors * lanes;
constexpr std::int64_t thin_bias = block;

using Native = decltype(Vector::value);

// Sums of neighbouring lanes: a's in the first half of the result, b's in the second.
template <std::size_t... i>
Native add_neighbours(Native a, Native b, std::index_sequence<i...>) {
  return __builtin_shufflevector(a, b, static_cast<int>(2 * i)...) +
         __builtin_shufflevector(a, b, static_cast<int>(2 * i + 1)...);
}

// result[p] = the sum of the lanes of sums[p], for half as many vectors as there are lanes: by
// neighbours, then their neighbours, ... of all vectors at once.
void sum_lanes(Native (&sums)[thin_pixels], float (&result)[thin_pixels]) {
  for (int count = thin_pixels; count > 0; count /= 2)
    for (int i = 0; i < (count + 1) / 2; ++i)
      sums[i] = add_neighbours(sums[2 * i % count], sums[(2 * i + 1) % count],
                               std::make_index_sequence<lanes>());
  std::copy_n(reinterpret_cast<const float*>(&sums[0]), thin_pixels, result);
}

// out: the tile's first pixel.
template <int vectors, int pixels>
void wide_kernel(const Window& in, std::int64_t x, const float* weights, float* out,
                 std::int64_t plane) {
  Vector sum[pixels][vectors];
  for (int p = 0; p < pixels; ++p)
    for (int v = 0; v < vectors; ++v) sum[p][v] = Vector::load(weights + v * lanes);
  weights += vectors * lanes;
  for (std::size_t b = 0; b < in.channels.size(); ++b) {
    const std::int64_t channels = in.channels[b];
    for (const float* row : in.rows) {
      const float* pixel = row + static_cast<std::int64_t>(b) * in.plane + x * block;
      for (int kx = 0; kx < 3; ++kx, pixel += block)
        for (std::int64_t c = 0; c < channels; ++c, weights += vectors * lanes) {
          Vector weight[vectors];
          for (int v = 0; v < vectors; ++v) weight[v] = Vector::load(weights + v * lanes);
          for (int p = 0; p < pixels; ++p) {
            const Vector value = Vector::all(pixel[p * block + c]);
            for (int v = 0; v < vectors; ++v) sum[p][v].add_product(value, weight[v]);
          }
        }
    }
  }
  for (int v = 0; v < vectors; ++v) {
    const std::int64_t channel = v * lanes;
    float* to = out + channel / block * plane + channel % block;
    for (int p = 0; p < pixels; ++p) sum[p][v].store(to + p * block);
  }
}

template <int pixels>
void thin_kernel(const Window& in, std::int64_t x, const float* weights, std::int64_t outputs,
                 float* out, std::int64_t plane) {
  Vector sum[pixels][thin_outputs];
  for (auto& of_pixel : sum)
    for (Vector& s : of_pixel) s = Vector::zero();
  const float* const bias = weights;
  weights += thin_bias;
  for (std::size_t b = 0; b < in.channels.size(); ++b)
    for (const float* row : in.rows) {
      const float* pixel = row + static_cast<std::int64_t>(b) * in.plane + x * block;
      // The next tile's pixels: too few lie in a row for the processor to see them coming.
      for (int p = 0; p < pixels; ++p) __builtin_prefetch(pixel + (pixels + 2 + p) * block);
      for (int kx = 0; kx < 3; ++kx, pixel += block)
        for (std::int64_t part = 0; part < block; part += lanes, weights += lanes) {
          Vector weight[thin_outputs];
          for (int o = 0; o < thin_outputs; ++o) weight[o] = Vector::load(weights + o * block);
          if (part + lanes == block) weights += (thin_outputs - 1) * block;
          for (int p = 0; p < pixels; ++p) {
            const Vector value = Vector::load(pixel + p * block + part);
            for (int o = 0; o < thin_outputs; ++o) sum[p][o].add_product(value, weight[o]);
          }
        }
    }
  for (int o = 0; o < thin_outputs; ++o) {
    if (o >= outputs) break;
    Native sums[thin_pixels] = {};
    for (int p = 0; p < pixels; ++p) sums[p] = sum[p][o].value;
    float values[thin_pixels];
    sum_lanes(sums, values);
    for (int p = 0; p < pixels; ++p) out[o * plane + x + p] = bias[o] + values[p];
  }
}

// Calls kernel(tile size, x) over [0, width): tiles of `pixels`, the last one moved left so that it
// is whole (what it repeats has the same value), or single pixels where the row is too short.
template <int pixels, class Kernel>
void over_row(std::int64_t width, const Kernel& kernel) {
  if (width < pixels) {
    for (std::int64_t x = 0; x < width; ++x) kernel.template operator()<1>(x);
  } else {
    for (std::int64_t x = 0; x < width; x += pixels)
      kernel.template operator()<pixels>(std::min(x, width - pixels));
  }
}

std::int64_t total(std::span<const std::int64_t> channels) {
  std::int64_t sum = 0;
  for (const std::int64_t c : channels) sum += c;
  return sum;
}

float weight_at(const WeightSource& source, std::int64_t output, int tap) {
  return source.data[output * source.stride + (source.flipped ? 8 - tap : tap)];
}

std::int64_t padded(std::int64_t outputs) { return blocks_for(outputs) * block; }

// Calls body(first output channel, x, pixels, kernel(out, plane)) for every tile of a row.
template <class Body>
void over_wide_tiles(const Window& in, const float* packed, std::int64_t outputs,
                     const Body& body) {
  const std::int64_t per_output = 1 + 9 * total(in.channels);
  for (std::int64_t first = 0; first < padded(outputs); first += wide_tile) {
    const bool whole = first + wide_tile <= padded(outputs);
    over_row<wide_pixels>(in.width, [&]<int pixels>(std::int64_t x) {
      body(first, x, pixels, [&](float* out, std::int64_t plane) {
        if (whole)
          wide_kernel<wide_vectors, pixels>(in, x, packed, out, plane);
        else
          wide_kernel<1, pixels>(in, x, packed, out, plane);
      });
    });
    packed += wide_tile * per_output;
  }
}

void pack_thin(std::span<const WeightSource> sources, std::span<const std::int64_t> channels,
               const float* bias, std::int64_t outputs, float* packed) {
  for (std::int64_t first = 0; first < outputs; first += thin_outputs) {
    std::fill_n(packed, thin_bias, 0.0f);
    for (std::int64_t o = first; o < std::min(first + thin_outputs, outputs); ++o)
      packed[o - first] = bias == nullptr ? 0.0f : bias[o];
    packed += thin_bias;
    std::size_t begin = 0;
    for (const std::int64_t count : channels) {
      for (int tap = 0; tap < 9; ++tap)
        for (std::int64_t o = first; o < first + thin_outputs; ++o)
          for (std::int64_t c = 0; c < block; ++c)
            *packed++ = o < outputs && c < count
                            ? weight_at(sources[begin + static_cast<std::size_t>(c)], o, tap)
                            : 0.0f;
      begin += static_cast<std::size_t>(count);
    }
  }
}

void thin_row(const Window& in, const float* packed, std::int64_t outputs, float* out,
              std::int64_t plane) {
  for (std::int64_t first = 0; first < outputs; first += thin_outputs) {
    const std::int64_t count = std::min<std::int64_t>(thin_outputs, outputs - first);
    over_row<thin_pixels>(in.width, [&]<int pixels>(std::int64_t x) {
      thin_kernel<pixels>(in, x, packed, count, out + first * plane, plane);
    });
    packed += thin_bias + 9 * std::ssize(in.channels) * thin_outputs * block;
  }
}

}  // namespace

void pack_row(const float* from, std::int64_t channels, std::int64_t channel_stride,
              std::int64_t pixel_stride, std::int64_t width, float* to, std::int64_t plane) {
  for (std::int64_t first = 0; first < channels; first += block, to += plane) {
    const std::int64_t real = std::min(block, channels - first);
    for (std::int64_t x = 0; x < width; ++x) {
      const float* pixel = from + first * channel_stride + x * pixel_stride;
      for (std::int64_t c = 0; c < real; ++c) to[x * block + c] = pixel[c * channel_stride];
      std::fill_n(to + x * block + real, block - real, 0.0f);
    }
  }
}

void clear_border(float* image, const Layout& layout, std::int64_t y) {
  for (std::int64_t b = 0; b < layout.blocks; ++b) {
    float* row = image + layout.at(b, y);
    std::fill_n(row, block, 0.0f);
    std::fill_n(row + layout.row() - block, block, 0.0f);
    if (y == 0) std::fill_n(row - layout.row(), layout.row(), 0.0f);
    if (y == layout.height - 1) std::fill_n(row + layout.row(), layout.row(), 0.0f);
  }
}

Window window(const float* image, const Layout& layout, std::span<const std::int64_t> channels,
              std::int64_t y) {
  return {{image + layout.at(0, y - 1), image + layout.at(0, y), image + layout.at(0, y + 1)},
          layout.plane(),
          channels,
          layout.width};
}

std::int64_t packed_size(std::int64_t outputs, std::span<const std::int64_t> channels) {
  const std::int64_t wide = padded(outputs) * (1 + 9 * total(channels));
  const std::int64_t thin = (outputs + thin_outputs - 1) / thin_outputs *
                            (thin_bias + 9 * std::ssize(channels) * thin_outputs * block);
  return std::max(wide, thin);
}

void pack_wide(std::span<const WeightSource> sources, std::span<const std::int64_t> channels,
               const float* bias, std::int64_t outputs, float* packed) {
  for (std::int64_t first = 0; first < padded(outputs); first += wide_tile) {
    const std::int64_t size = std::min(wide_tile, padded(outputs) - first);
    const auto put = [&](const auto& value) {
      for (std::int64_t o = first; o < first + size; ++o) *packed++ = o < outputs ? value(o) : 0.0f;
    };
    put([&](std::int64_t o) { return bias == nullptr ? 0.0f : bias[o]; });
    std::size_t begin = 0;
    for (const std::int64_t count : channels) {
      for (int tap = 0; tap < 9; ++tap)
        for (const WeightSource& source : sources.subspan(begin, static_cast<std::size_t>(count)))
          put([&](std::int64_t o) { return weight_at(source, o, tap); });
      begin += static_cast<std::size_t>(count);
    }
  }
}

void wide_row(const Window& in, const float* packed, std::int64_t outputs, float* out,
              std::int64_t plane) {
  over_wide_tiles(in, packed, outputs,
                  [&](std::int64_t first, std::int64_t x, std::int64_t, auto kernel) {
                    kernel(out + first / block * plane + first % block + x * block, plane);
                  });
}

void pack_image(std::span<const WeightSource> sources, std::span<const std::int64_t> channels,
                const float* bias, std::int64_t outputs, float* packed) {
  const auto pack = outputs < block ? pack_thin : pack_wide;
  pack(sources, channels, bias, outputs, packed);
}

void image_row(const Window& in, const float* packed, std::int64_t outputs, float* out,
               std::int64_t plane) {
  if (outputs < block) return thin_row(in, packed, outputs, out, plane);
  over_wide_tiles(in, packed, outputs,
                  [&](std::int64_t first, std::int64_t x, std::int64_t pixels, auto kernel) {
                    constexpr std::int64_t tile_plane = wide_pixels * block;
                    float tile[(wide_tile + block - 1) / block][tile_plane];
                    kernel(tile[0], tile_plane);
                    const std::int64_t count = std::min(wide_tile, outputs - first);
                    for (std::int64_t c = 0; c < count; ++c)
                      for (std::int64_t p = 0; p < pixels; ++p)
                        out[(first + c) * plane + x + p] = tile[c / block][p * block + c % block];
                  });
}

}  // namespace mini::cpu::MINI_ISA::blocked
