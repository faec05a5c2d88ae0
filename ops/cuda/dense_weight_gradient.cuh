// The weight gradient of the dense block, dw[o,c,tap] = sum of g[p,o] f[p + tap,c] over all pixels
// p. For a pair of up to 32 channels of features and 32 of gradients it is one matrix product per
// tap. A thread block goes through a part of the patches of 8 x 16 pixels. Three of its warps take
// the upper half of a patch and three the lower half, one warp for each column of taps. While a
// patch is multiplied, the next one is prefetched. The parts are then added in order, so every run
// gives the same bits.
#pragma once

#include <algorithm>

#include "ops/cuda/dense_convolution.cuh"

namespace mini::cuda::dense {

constexpr int pair_channels = 32, gradient_warps = 6, gradient_threads = gradient_warps * 32;
constexpr int patch_rows = 16, patch_across = 8, around = patch_across + 2;
constexpr int around_row = 16;  // pixels in a row of a tile
constexpr int half_rows = patch_rows / 2;
constexpr int feature_tile = (patch_rows + 2) * around_row * chunk_bytes;
constexpr int gradient_tile = patch_rows * patch_across * chunk_bytes;
template <class Way>
constexpr int chunks_of(int channels) {
  return (channels + chunk_channels<Way> - 1) / chunk_channels<Way>;
}
template <class Way>
constexpr int patch_bytes = chunks_of<Way>(pair_channels) * (feature_tile + gradient_tile);

// The record that a block writes: products [tap][channel][output], then sums of gradients.
constexpr int products = pair_channels * pair_channels;
constexpr int record = taps * products + pair_channels;

struct Pair {
  int feature_chunk, gradient_chunk;  // index of the first chunk
  // The result goes to dw [..,inputs,3,3] and db, from this channel and output on, this many of
  // them.
  float* dw;
  float* db;  // null if another pair computes it
  int inputs, channel, channels, output, outputs;
  int first_block = 0, parts = 1;  // the blocks of this pair; each takes a part of the patches

  // The tiles of 16 channels of features and columns of 8 of gradients that are multiplied.
  constexpr int tiles() const { return channels <= 16 ? 1 : 2; }
  constexpr int columns() const { return outputs <= 8 ? 1 : outputs <= 16 ? 2 : 4; }
};

constexpr int most_pairs = 48;  // per launch: kernel parameters are limited to 4 KB
struct GradientJob {
  PixelView features, gradients;
  int height, width, patches_down, patches_across;
  std::int64_t patches;  // of all images
  float* records;        // [block][record]
  int pair_count;
  Pair pairs[most_pairs];
};

// A patch of an image. Patches are numbered from left to right, then downward, then by image.
struct Patch {
  std::int64_t before;  // number of pixels in the images before
  int top, left;

  __device__ Patch(const GradientJob& job, std::int64_t index)
      : before(index / job.patches_across / job.patches_down * job.height * job.width),
        top(static_cast<int>(index / job.patches_across % job.patches_down) * patch_rows),
        left(static_cast<int>(index % job.patches_across) * patch_across) {}
  __device__ void advance(const GradientJob& job) {
    if ((left += patch_across) < job.width) return;
    left = 0;
    if ((top += patch_rows) < job.height) return;
    top = 0;
    before += std::int64_t{job.height} * job.width;
  }
};

// Prefetches a patch and `margin` pixels around it into shared memory, `chunks` chunks per pixel.
// The buffer has only the first `own` of them, so the others become zeros, as do pixels outside the
// image; for these, the copy gets the address of the nearest pixel, but does not read it. A warp
// copies every sixth row; neighbouring lanes copy neighbouring bytes of a pixel.
template <int chunks, int margin>
__device__ void prefetch_patch(SharedAddress to, const GradientJob& job, const PixelView& view,
                               int first, int own, const Patch& patch, int warp, int lane) {
  constexpr int rows = patch_rows + 2 * margin, across = patch_across + 2 * margin;
  constexpr int row_pixels = margin == 0 ? patch_across : around_row;
  constexpr int tile_bytes = margin == 0 ? gradient_tile : feature_tile;
  constexpr int halves = 2 * chunks, at_once = 32 / halves;  // pixels
  const int k = lane % halves / 2, half = lane % 2;
  const std::byte* const from = view.first + patch.before * view.pixel +
                                (first + std::min(k, own - 1)) * chunk_bytes + half * half_bytes;
#pragma unroll 1
  for (int y = warp; y < rows; y += gradient_warps) {
    const int row = patch.top + y - margin, near_row = std::clamp(row, 0, job.height - 1);
#pragma unroll
    for (int first_x = 0; first_x < across; first_x += at_once) {
      const int x = first_x + lane / halves;
      if (x >= row_pixels) continue;
      const int column = patch.left + x - margin,
                near_column = std::clamp(column, 0, job.width - 1);
      copy_async(to + k * tile_bytes + y * row_pixels * chunk_bytes + half_at(x, half),
                 from + std::int64_t{near_row} * (job.width * view.pixel) +
                     std::int64_t{near_column} * view.pixel,
                 row == near_row && column == near_column && k < own && x < across);
    }
  }
}

// Sums one block's part of the patches, for a pair with this many tiles and columns.
template <class Way, int tiles, int columns>
__device__ void add_patches(const GradientJob& job, const Pair& pair, std::byte* shared) {
  constexpr int feature_chunks = chunks_of<Way>(16 * tiles);
  constexpr int gradient_chunks = chunks_of<Way>(8 * columns);
  const int thread = static_cast<int>(threadIdx.x), lane = thread % 32, warp = thread / 32;
  const int part = static_cast<int>(blockIdx.x) - pair.first_block;
  const std::int64_t begin = job.patches * part / pair.parts;
  const auto count = static_cast<int>(job.patches * (part + 1) / pair.parts - begin);

  const SharedAddress places = shared_address(shared);
  Patch next(job, begin);
  const auto prefetch = [&](int index) {
    if (index < count) {
      const SharedAddress to = places + index % 2 * patch_bytes<Way>;
      prefetch_patch<feature_chunks, 1>(to, job, job.features, pair.feature_chunk,
                                        chunks_of<Way>(pair.channels), next, warp, lane);
      prefetch_patch<gradient_chunks, 0>(to + feature_chunks * feature_tile, job, job.gradients,
                                         pair.gradient_chunk, chunks_of<Way>(pair.outputs), next,
                                         warp, lane);
      next.advance(job);
    }
    commit_copies();
  };

  const int dx = warp % 3, lower = warp / 3;
  CorrelationSums<tiles, columns> sums{};
  float bias = 0;  // sum of gradient channel `lane` over every sixth row
  prefetch(0);
  for (int index = 0; index < count; ++index) {
    prefetch(index + 1);
    wait_copies<1>();
    __syncthreads();
    const std::byte* const features = shared + index % 2 * patch_bytes<Way>;
    const std::byte* const gradients = features + feature_chunks * feature_tile;
    correlate<Way, around_row, half_rows, feature_tile, gradient_tile>(
        sums, features, lower * half_rows * around_row + dx, gradients,
        lower * half_rows * patch_across, lane);
    if (pair.db != nullptr && lane < 8 * columns) {
      using Stored = typename Way::Stored;
      constexpr int in_half = half_bytes / static_cast<int>(sizeof(Stored));
      const int channel = lane % chunk_channels<Way>;
      const std::byte* const own = gradients + lane / chunk_channels<Way> * gradient_tile +
                                   channel % in_half * static_cast<int>(sizeof(Stored));
#pragma unroll 1
      for (int y = warp; y < patch_rows; y += gradient_warps)
#pragma unroll
        for (int x = 0; x < patch_across; ++x)
          bias += static_cast<float>(
              read<Stored>(own + y * patch_across * chunk_bytes + half_at(x, channel / in_half)));
    }
    __syncthreads();  // the next prefetch overwrites this patch
  }
  wait_copies<0>();

  // Calls f(index among the products, sum) for each sum of this thread.
  const auto each_sum = [&](const auto& f) {
#pragma unroll
    for (int dy = 0; dy < 3; ++dy)
#pragma unroll
      for (int i = 0; i < tiles; ++i)
#pragma unroll
        for (int n = 0; n < columns; ++n)
#pragma unroll
          for (int r = 0; r < 4; ++r)
            f((dy * 3 + dx) * products + (16 * i + lane / 4 + r / 2 * 8) * pair_channels + 8 * n +
                  lane % 4 * 2 + r % 2,
              sums[dy][i][n][r]);
  };
  // The patches are no longer needed. Their shared memory passes the sums of the lower half to the
  // upper half, and all warps' sums of gradients to the last warp.
  static_assert(2 * patch_bytes<Way> >= (taps * products + gradient_threads) * 4);
  auto* const passed = reinterpret_cast<float*>(shared);
  float* const biases = passed + taps * products + lane;
  float* const out = job.records + std::int64_t{blockIdx.x} * record;
  if (lower == 1) each_sum([&](int place, float sum) { passed[place] = sum; });
  biases[warp * 32] = bias;
  __syncthreads();
  if (lower == 0) each_sum([&](int place, float sum) { out[place] = sum + passed[place]; });
  if (warp == gradient_warps - 1) {
    for (int w = 0; w + 1 < gradient_warps; ++w) bias += biases[w * 32];
    out[taps * products + lane] = bias;
  }
}

template <class Way>
__global__ void __launch_bounds__(gradient_threads, 2)
    weight_gradient(const __grid_constant__ GradientJob job) {
  const auto* pair = job.pairs;
  while (pair + 1 < job.pairs + job.pair_count &&
         pair[1].first_block <= static_cast<int>(blockIdx.x))
    ++pair;
  const auto add = [&]<int tiles>(std::integral_constant<int, tiles>) {
    std::byte* const shared = dynamic_shared<std::byte>();
    switch (pair->columns()) {
      case 1:
        return add_patches<Way, tiles, 1>(job, *pair, shared);
      case 2:
        return add_patches<Way, tiles, 2>(job, *pair, shared);
      default:
        return add_patches<Way, tiles, 4>(job, *pair, shared);
    }
  };
  if (pair->tiles() == 1)
    add(std::integral_constant<int, 1>{});
  else
    add(std::integral_constant<int, 2>{});
}

// Adds the parts, one thread for each number of a pair's record.
struct AddParts {
  GradientJob job;

  __device__ void operator()(std::int64_t index) const {
    const Pair& pair = job.pairs[index / record];
    const auto number = static_cast<int>(index % record);
    const int tap = number / products, channel = number % products / pair_channels;
    const int output = number % pair_channels;
    const bool is_bias = tap == taps;
    if (output >= pair.outputs) return;
    if (is_bias ? pair.db == nullptr : channel >= pair.channels) return;
    const float* const records = job.records + std::int64_t{pair.first_block} * record;
    float sum = 0;
    for (int part = 0; part < pair.parts; ++part)
      sum += records[std::int64_t{part} * record + number];
    if (is_bias)
      pair.db[pair.output + output] = sum;
    else
      pair.dw[(std::int64_t{pair.output + output} * pair.inputs + pair.channel + channel) * taps +
              tap] = sum;
  }
};

}  // namespace mini::cuda::dense
