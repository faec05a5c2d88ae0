// The dense block's weight gradient, dw[o,c,tap] = sum of g[p,o] f[p + tap,c] over all pixels p: for
// 32 channels of features and 32 of gradients (a pair) one matrix product a tap. A block of threads
// walks over a part of the image's patches, 8 x 16 pixels, three of its warps over the upper half and
// three over the lower, one for each column of taps; while a patch is multiplied the next one is on
// its way. Parts are then added in order: the same bits in every run.
#pragma once

#include "ops/cuda/dense_convolution.cuh"

namespace mini::cuda::dense {

constexpr int pair_channels = 32, gradient_warps = 6, gradient_threads = gradient_warps * 32;
constexpr int patch_rows = 16, patch_across = 8, around = patch_across + 2;
constexpr int around_row = 16;  // pixels from a row of a tile to the next
constexpr int half_rows = patch_rows / 2;
constexpr int feature_tile = (patch_rows + 2) * around_row * chunk_bytes;
constexpr int gradient_tile = patch_rows * patch_across * chunk_bytes;
template <class Way>
constexpr int pair_chunks = pair_channels / chunk_channels<Way>;
template <class Way>
constexpr int patch_bytes = pair_chunks<Way>*(feature_tile + gradient_tile);

// What a block leaves: products [tap][channel][output], then each warp's sums of gradients.
constexpr int products = pair_channels * pair_channels;
constexpr int record = taps * products + gradient_warps * pair_channels;

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
  float* records;  // [pair][part][record]
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
                                int across, int row_pixels) {
    constexpr int halves = 2 * pair_chunks<Way>;  // of one pixel, which threads in a row bring
    for (int piece = thread; piece < rows * across * halves; piece += gradient_threads) {
      const int pixel = piece / halves, k = piece % halves / 2, half = piece % 2;
      const int row = top + pixel / across, column = left + pixel % across;
      const bool inside = row >= 0 && row < job.height && column >= 0 && column < job.width;
      const bool valid = inside && k < chunks;
      const std::int64_t at =
          valid ? (image * job.height + row) * job.width + column : std::int64_t{0};
      copy_async(shared_address(to) + k * bytes +
                     half_at(pixel / across * row_pixels + pixel % across, half),
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
                   top - 1, left - 1, patch_rows + 2, around, around_row);
      bring_chunks(to + pair_chunks<Way> * feature_tile, gradient_tile, job.gradients,
                   pair.gradient_chunk, pair.gradient_chunks, image, top, left, patch_rows,
                   patch_across, patch_across);
    }
    commit_copies();
  };

  const int dx = warp % 3, lower = warp / 3;
  CorrelationSums sums{};
  float bias = 0;  // of gradient `lane`, every sixth pixel
  bring(begin);
  for (std::int64_t index = begin; index < end; ++index) {
    bring(index + 1);
    wait_copies<1>();
    __syncthreads();
    const std::byte* const features = shared + (index - begin) % 2 * patch_bytes<Way>;
    const std::byte* const gradients = features + pair_chunks<Way> * feature_tile;
    correlate<Way, around_row, half_rows, feature_tile, gradient_tile>(
        sums, features, lower * half_rows * around_row + dx, gradients,
        lower * half_rows * patch_across, lane);
    if (pair.db != nullptr) {
      using Stored = typename Way::Stored;
      constexpr int in_half = half_bytes / static_cast<int>(sizeof(Stored));
      const std::byte* const own = gradients + lane / chunk_channels<Way> * gradient_tile;
      const int channel = lane % chunk_channels<Way>;
      for (int pixel = warp; pixel < patch_rows * patch_across; pixel += gradient_warps)
        bias +=
            static_cast<float>(read<Stored>(own + half_at(pixel, channel / in_half) +
                                            channel % in_half * static_cast<int>(sizeof(Stored))));
    }
    __syncthreads();  // before this place is filled again
  }
  wait_copies<0>();

  // f(place among the products, sum)
  const auto each_sum = [&](const auto& f) {
#pragma unroll
    for (int dy = 0; dy < 3; ++dy)
#pragma unroll
      for (int i = 0; i < 2; ++i)
#pragma unroll
        for (int n = 0; n < 4; ++n)
#pragma unroll
          for (int r = 0; r < 4; ++r)
            f((dy * 3 + dx) * products + (16 * i + lane / 4 + r / 2 * 8) * pair_channels + 8 * n +
                  lane % 4 * 2 + r % 2,
              sums[dy][i][n][r]);
  };
  // The patches are done with: their memory brings the lower half's sums to the upper's.
  static_assert(2 * patch_bytes<Way> >= taps * products * 4);
  auto* const passed = reinterpret_cast<float*>(shared);
  float* const out = job.records + std::int64_t{blockIdx.x} * record;
  if (lower == 1) each_sum([&](int place, float sum) { passed[place] = sum; });
  __syncthreads();
  if (lower == 0) each_sum([&](int place, float sum) { out[place] = sum + passed[place]; });
  out[taps * products + warp * pair_channels + lane] = bias;
}

// Adds the parts up: a thread for each number of a pair, the last 32 for the biases.
constexpr int results_per_pair = taps * products + pair_channels;

struct AddParts {
  GradientJob job;

  __device__ void operator()(std::int64_t index) const {
    const auto which = static_cast<int>(index / results_per_pair);
    const auto number = static_cast<int>(index % results_per_pair);
    const Pair& pair = job.pairs[which];
    const float* const records = job.records + std::int64_t{which} * job.parts * record;
    const int tap = number / products, channel = number % products / pair_channels;
    const int output = number % pair_channels;
    if (output >= pair.outputs) return;
    float sum = 0;
    if (tap < taps) {
      if (channel >= pair.channels) return;
      for (int part = 0; part < job.parts; ++part)
        sum += records[std::int64_t{part} * record + number];
      pair.dw[(std::int64_t{pair.output + output} * pair.inputs + pair.channel + channel) * taps +
              tap] = sum;
    } else if (pair.db != nullptr) {
      for (int part = 0; part < job.parts; ++part)
        for (int warp = 0; warp < gradient_warps; ++warp)
          sum += records[std::int64_t{part} * record + number + warp * pair_channels];
      pair.db[pair.output + output] = sum;
    }
  }
};

}  // namespace mini::cuda::dense
