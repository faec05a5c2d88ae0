// The dense block's weight gradient, dw[o,c,tap] = sum of g[p,o] f[p + tap,c] over all pixels p: for
// 32 channels of features and 32 of gradients (a pair) one matrix product a tap, each the business
// of one warp. A block of threads walks over a part of the image's tiles, 8 x 16 pixels; while one
// is multiplied the next is on its way. Parts are then added in order: the same bits in every run.
#pragma once

#include "ops/cuda/dense_convolution.cuh"

namespace mini::cuda::dense {

constexpr int pair_channels = 32, gradient_threads = taps * 32;
constexpr int patch_rows = 16, patch_across = 8, around = patch_across + 2;
constexpr int feature_tile = (patch_rows + 2) * around * chunk_bytes;
constexpr int gradient_tile = patch_rows * patch_across * chunk_bytes;
template <class Way>
constexpr int pair_chunks = pair_channels / chunk_channels<Way>;
template <class Way>
constexpr int patch_bytes = pair_chunks<Way>*(feature_tile + gradient_tile);

// What a warp leaves for each pair and part: products [channel][output], then sums of gradients.
constexpr int record = pair_channels * pair_channels + pair_channels;

struct Pair {
  int feature_chunk, feature_chunks;  // the first, and how many of it are its own
  int gradient_chunk, gradient_chunks;
  // Where the result goes: dw [.., inputs, 3, 3] from its channel and output on, this many of them.
  float* dw;
  float* db;  // from the output on; null if another pair does it
  int inputs, channel, channels, output, outputs;
};

constexpr int most_pairs = 48;  // in one launch: parameters of a kernel are limited to 4 KB
struct GradientJob {
  PixelView features, gradients;
  int height, width, tiles_down, tiles_across;
  std::int64_t tiles;  // of all images
  int parts;
  float* records;  // [pair][part][warp][record]
  int pair_count;
  Pair pairs[most_pairs];
};

template <class Way>
__global__ void __launch_bounds__(gradient_threads, 2)
    weight_gradient(const __grid_constant__ GradientJob job) {
  std::byte* const shared = dynamic_shared<std::byte>();
  const int thread = static_cast<int>(threadIdx.x), lane = thread % 32, warp = thread / 32;
  const int part = static_cast<int>(blockIdx.x) % job.parts;
  const Pair& pair = job.pairs[static_cast<int>(blockIdx.x) / job.parts];
  const std::int64_t begin = job.tiles * part / job.parts;
  const std::int64_t end = job.tiles * (part + 1) / job.parts;

  const auto bring_chunks = [&](std::byte* to, int bytes, const PixelView& view, int chunk,
                                int chunks, std::int64_t image, int top, int left, int rows,
                                int across) {
    constexpr int halves = 2 * pair_chunks<Way>;  // of one pixel, which threads in a row bring
    for (int piece = thread; piece < rows * across * halves; piece += gradient_threads) {
      const int pixel = piece / halves, k = piece % halves / 2, half = piece % 2;
      const int row = top + pixel / across, column = left + pixel % across;
      const bool inside = row >= 0 && row < job.height && column >= 0 && column < job.width;
      const bool valid = inside && k < chunks;
      const std::int64_t at =
          valid ? (image * job.height + row) * job.width + column : std::int64_t{0};
      copy_async(to + k * bytes + half_at(pixel, half),
                 view.first + at * view.pixel +
                     (valid ? (chunk + k) * chunk_bytes + half * half_bytes : 0),
                 valid);
    }
  };
  const auto bring = [&](std::int64_t index) {
    if (index < end) {
      std::byte* const to = shared + (index - begin) % 2 * patch_bytes<Way>;
      const int left = static_cast<int>(index % job.tiles_across) * patch_across;
      const int top = static_cast<int>(index / job.tiles_across % job.tiles_down) * patch_rows;
      const std::int64_t image = index / job.tiles_across / job.tiles_down;
      bring_chunks(to, feature_tile, job.features, pair.feature_chunk, pair.feature_chunks, image,
                   top - 1, left - 1, patch_rows + 2, around);
      bring_chunks(to + pair_chunks<Way> * feature_tile, gradient_tile, job.gradients,
                   pair.gradient_chunk, pair.gradient_chunks, image, top, left, patch_rows,
                   patch_across);
    }
    commit_copies();
  };

  CorrelationSums sums{};
  float bias = 0;  // of gradient `lane`, every ninth pixel
  bring(begin);
  for (std::int64_t index = begin; index < end; ++index) {
    bring(index + 1);
    wait_copies<1>();
    __syncthreads();
    const std::byte* const features = shared + (index - begin) % 2 * patch_bytes<Way>;
    const std::byte* const gradients = features + pair_chunks<Way> * feature_tile;
    correlate<Way, around, patch_rows, feature_tile, gradient_tile>(
        sums, features, warp / 3 * around + warp % 3, gradients, lane);
    if (pair.db != nullptr) {
      using Stored = typename Way::Stored;
      constexpr int in_half = half_bytes / static_cast<int>(sizeof(Stored));
      const std::byte* const own = gradients + lane / chunk_channels<Way> * gradient_tile;
      const int channel = lane % chunk_channels<Way>;
      for (int pixel = warp; pixel < patch_rows * patch_across; pixel += taps)
        bias +=
            static_cast<float>(read<Stored>(own + half_at(pixel, channel / in_half) +
                                            channel % in_half * static_cast<int>(sizeof(Stored))));
    }
    __syncthreads();  // before this place is filled again
  }
  wait_copies<0>();

  float* const out = job.records + (std::int64_t{blockIdx.x} * taps + warp) * record;
#pragma unroll
  for (int i = 0; i < 2; ++i)
#pragma unroll
    for (int n = 0; n < 4; ++n)
#pragma unroll
      for (int r = 0; r < 4; ++r)
        out[(16 * i + lane / 4 + r / 2 * 8) * pair_channels + 8 * n + lane % 4 * 2 + r % 2] =
            sums[i][n][r];
  out[pair_channels * pair_channels + lane] = bias;
}

// Adds the parts up: a thread for each number of a pair's nine records, the last 32 for the biases.
inline constexpr int results_per_pair = taps * pair_channels * pair_channels + pair_channels;

struct AddParts {
  GradientJob job;

  __device__ void operator()(std::int64_t index) const {
    const auto which = static_cast<int>(index / results_per_pair);
    const auto number = static_cast<int>(index % results_per_pair);
    const Pair& pair = job.pairs[which];
    const float* const records = job.records + std::int64_t{which} * job.parts * taps * record;
    constexpr int products = pair_channels * pair_channels;
    const int tap = number / products, within = number % products;
    float sum = 0;
    if (tap < taps) {
      const int channel = within / pair_channels, output = within % pair_channels;
      if (channel >= pair.channels || output >= pair.outputs) return;
      for (int part = 0; part < job.parts; ++part)
        sum += records[(std::int64_t{part} * taps + tap) * record + within];
      pair.dw[(std::int64_t{pair.output + output} * pair.inputs + pair.channel + channel) * taps +
              tap] = sum;
    } else {
      if (pair.db == nullptr || within >= pair.outputs) return;
      for (int k = 0; k < job.parts * taps; ++k)
        sum += records[std::int64_t{k} * record + products + within];
      pair.db[pair.output + within] = sum;
    }
  }
};

}  // namespace mini::cuda::dense
