// The convolution of the dense block as an implicit matrix product: pixels by outputs, summed over
// channels and taps. A thread block computes 16 x 16 pixels by 8, 16 or 32 outputs, each of its
// four warps 8 x 8 of these pixels. It goes through the channels chunk by chunk. While it
// multiplies one chunk (the pixels, those around them, and the weights), the next chunks are
// prefetched into shared memory.
#pragma once

#include "ops/cuda/dense_tile.cuh"
#include "ops/cuda/launch.cuh"

namespace mini::cuda::dense {

constexpr int tile = 16, halo = tile + 2, halo_row = 24;  // in pixels
constexpr int convolution_threads = 128, stages = 3;
constexpr int halo_bytes = halo * halo_row * chunk_bytes;

constexpr int weight_bytes(int columns) { return taps * columns * 64 * 4; }  // of one chunk
constexpr int stage_bytes(int columns) { return halo_bytes + weight_bytes(columns); }

// Some slabs of a channels-last buffer. Pixel p begins at first + p * pixel.
struct PixelView {
  std::byte* first = nullptr;
  int pixel = 0;  // bytes between neighbouring pixels
};

struct ConvolutionJob {
  PixelView in;
  int chunks;      // number of chunks to read
  int half_chunk;  // the chunk whose second half is padding, or -1
  int height, width;
  int tiles_down, tiles_across;
  int groups;                // of 8 * columns outputs each
  const std::byte* weights;  // [group][chunk][tap]..., see convolve() in dense_tile.cuh
  const float* bias;         // [outputs] or null
  int outputs;
  // The result is written to a slab, `stored` outputs per pixel, zeros beyond `outputs`; or ...
  PixelView slab;
  int stored;
  // ... if slab.first is null, in float32 to y [N,outputs,rows,W], whose first row is row
  // `first_row`.
  float* y;
  std::int64_t y_strides[4];
  int first_row, rows;
  // Leaky ReLU, if written to a slab: multiplies by `slope` where the result (or the gate, if there
  // is one) is not positive.
  float slope;
  PixelView gate;
};

// Writes the sums of a warp. Its first pixel is at row `top` and column `left`, its first output
// `first`.
template <class Way, int columns>
__device__ void finish(const ConvolutionJob& job, const ConvolutionSums<columns>& sums,
                       std::int64_t image, int top, int left, int first, int lane) {
  using Stored = typename Way::Stored;
  struct alignas(2 * sizeof(Stored)) Pair {
    Stored at[2];
  };
  const int column = left + lane / 4, output = first + lane % 4 * 2;
  const int rows = std::min(8, job.height - top);  // rows inside the image
  if (column >= job.width) return;
  float bias[columns][2] = {};
  if (job.bias != nullptr)
#pragma unroll
    for (int n = 0; n < columns; ++n)
#pragma unroll
      for (int k = 0; k < 2; ++k)
        if (output + 8 * n + k < job.outputs) bias[n][k] = job.bias[output + 8 * n + k];
  const auto value = [&](int y, int n, int k) {
    return sums[y % 4][n][y / 4 * 2 + k] + bias[n][k];
  };

  if (job.slab.first != nullptr) {
    // Calls f(pair of outputs in the view, y, n) for each existing pixel and output.
    const auto each = [&](const PixelView& view, const auto& f) {
      const std::int64_t pixel = (image * job.height + top) * job.width + column;
      std::byte* place = view.first + pixel * view.pixel + output * int{sizeof(Stored)};
#pragma unroll
      for (int y = 0; y < 8; ++y, place += job.width * view.pixel) {
        if (y >= rows) break;
#pragma unroll
        for (int n = 0; n < columns; ++n)
          if (first + 8 * n < job.stored) f(reinterpret_cast<Pair*>(place)[4 * n], y, n);
      }
    };
    // All gates are loaded before the first is used, so that the loads overlap.
    const bool gated = job.gate.first != nullptr;
    Pair gates[8][columns] = {};
    if (gated) each(job.gate, [&](const Pair& gate, int y, int n) { gates[y][n] = gate; });
    each(job.slab, [&](Pair& result, int y, int n) {
      Pair both;
#pragma unroll
      for (int k = 0; k < 2; ++k) {
        const float sum = value(y, n, k);
        const bool keeps = (gated ? static_cast<float>(gates[y][n].at[k]) : sum) > 0;
        both.at[k] = Way::keep(keeps ? sum : sum * job.slope);
      }
      result = both;
    });
  } else {
    const std::int64_t* const s = job.y_strides;
    float* place =
        job.y + image * s[0] + output * s[1] + (top - job.first_row) * s[2] + column * s[3];
#pragma unroll
    for (int y = 0; y < 8; ++y, place += s[2]) {
      if (y >= rows) break;
      if (top + y < job.first_row || top + y >= job.first_row + job.rows) continue;
#pragma unroll
      for (int n = 0; n < columns; ++n)
#pragma unroll
        for (int k = 0; k < 2; ++k)
          if (output + 8 * n + k < job.outputs) place[(8 * n + k) * s[1]] = value(y, n, k);
    }
  }
}

template <class Way, int columns>
__global__ void __launch_bounds__(convolution_threads, 3)
    convolution(const __grid_constant__ ConvolutionJob job) {
  std::byte* const shared = dynamic_shared<std::byte>();
  const int thread = static_cast<int>(threadIdx.x), lane = thread % 32, warp = thread / 32;
  auto block = static_cast<int>(blockIdx.x);
  const int group = block % job.groups;
  block /= job.groups;
  const int left = block % job.tiles_across * tile;
  block /= job.tiles_across;
  const int top = block % job.tiles_down * tile;
  const std::int64_t image = block / job.tiles_down;

  // What this thread copies of each chunk: halves of some pixels (zeros outside the image), and
  // weights. Addresses are computed once; from chunk to chunk only `in`, `weights` and `stage`
  // change.
  constexpr int pieces = halo * halo * 2;
  constexpr int each = (pieces + convolution_threads - 1) / convolution_threads;
  int pixels[each], places[each];
  bool inside[each];
#pragma unroll
  for (int k = 0; k < each; ++k) {
    const int pixel = (thread + k * convolution_threads) / 2, y = pixel / halo, x = pixel % halo;
    const int row = top - 1 + y, column = left - 1 + x;
    inside[k] = row >= 0 && row < job.height && column >= 0 && column < job.width;
    pixels[k] = inside[k] ? row * job.width + column : 0;
    places[k] = half_at(y * halo_row + x, thread % 2);
  }
  const std::byte* in =
      job.in.first + image * job.height * job.width * job.in.pixel + thread % 2 * half_bytes;
  const std::byte* weights =
      job.weights + std::int64_t{group} * job.chunks * weight_bytes(columns) + thread * 16;
  const SharedAddress first_stage = shared_address(shared);
  const auto after = [](int stage) { return stage + 1 == stages ? 0 : stage + 1; };
  int left_to_prefetch = job.chunks, stage = 0;
  const auto prefetch = [&] {
    if (left_to_prefetch-- > 0) {
      const SharedAddress to = first_stage + stage * stage_bytes(columns);
      stage = after(stage);
#pragma unroll
      for (int k = 0; k < each; ++k)
        if (thread + k * convolution_threads < pieces)
          copy_async(to + places[k], in + std::int64_t{pixels[k]} * job.in.pixel, inside[k]);
#pragma unroll
      for (int at = 0; at < weight_bytes(columns); at += convolution_threads * 16)
        if (at + thread * 16 < weight_bytes(columns))
          copy_async(to + halo_bytes + thread * 16 + at, weights + at, true);
      in += chunk_bytes;
      weights += weight_bytes(columns);
    }
    commit_copies();
  };

  const int warp_top = warp / 2 * 8, warp_left = warp % 2 * 8;
  const bool works = top + warp_top < job.height && left + warp_left < job.width;
  ConvolutionSums<columns> sums{};
  for (int chunk = 0; chunk < stages - 1; ++chunk) prefetch();
  for (int chunk = 0, current = 0; chunk < job.chunks; ++chunk, current = after(current)) {
    wait_copies<stages - 2>();
    __syncthreads();  // the chunk has arrived for all, and no thread reads the stage filled next
    prefetch();
    const std::byte* const arrived = shared + current * stage_bytes(columns);
    if (works)
      convolve<Way, halo_row, columns>(sums, arrived, warp_top * halo_row + warp_left,
                                       arrived + halo_bytes, chunk == job.half_chunk ? 1 : 2, lane);
  }
  wait_copies<0>();
  if (!works) return;

  finish<Way, columns>(job, sums, image, top + warp_top, left + warp_left, group * columns * 8,
                       lane);
}

}  // namespace mini::cuda::dense
