// The fused dense block on a GPU (ops/dense_block.h).
//
// Forward. One channels-last buffer [N,H,W,C] holds, for each pixel, the slabs x, f_1 .. f_{K-1}
// one behind the other, each padded with zeros to whole chunks of 32 bytes. Convolution k reads the
// slabs before f_k and writes f_k, bias and leaky ReLU included; nothing is concatenated. If
// features are not kept, the buffer holds a few images at a time, or a band of rows of one image.
//
// Backward. The gradients g_k (before the activation) lie in a second buffer in the opposite order,
// g_K = dy, g_{K-1} .. g_1. The gradient of f_j comes from all later convolutions, whose gradients
// are the slabs before g_j. So backward is a dense block, too, and uses the same kernel with
// weights flipped and transposed. dense_weight_gradient.cuh computes the gradients of the weights.
//
// Expected speed. SAIN's blocks make four times 32 features of C channels, then O outputs. Forward
// takes 18 (32 (4C + 192) + O (C + 128)) operations per pixel: 139 thousand for C = 9 and O = 3,
// and 168 thousand with C padded to 16 and O to 8. Backward takes twice as many. For a batch of 16
// x 72 x 72 pixels, forward is 11.5 GFLOP (14.0 padded).
//   Tensor cores   By its data sheet an H200 does 495 TFLOP/s of TF32, so 23 us is the lower bound.
//                  mma.sync reaches about 60 % of the peak: 47 us with the padding.
//   Memory         576 bytes of features per pixel, written once and read 2.8 times, are 180 MB:
//                  38 us at 4.8 TB/s if the cache of 50 MB held none of them.
//   Shared memory  It delivers a line of 128 bytes per cycle. A warp reads 144 lines for the 144
//                  products of a chunk. Tensor cores take at least 144 cycles for these products,
//                  with mma.sync about 230, so shared memory is busy 63 % of the time. The 192
//                  products of the weight gradient also read 144 lines: 47 %.
// bfloat16 halves all of these. The exact way, with C padded to 12 only, takes 196 us at 67 TFLOP/s.
//
// THESE ARE ESTIMATES. The kernels are compiled for sm_90: at most 168 registers, no spills; three
// blocks of the convolution or two of the weight gradient fit on a multiprocessor; 275 instructions
// for the 144 products of a chunk and 640 for the 192 of a patch, prefetch included. They are tested
// on the emulated device, but have never run on a GPU.
//
// An alternative is to convolve each new feature into all later outputs at once. The products would
// be up to 137 wide and use the tensor cores better. But the sums of the later outputs would be
// read from and written to memory 4 times in float32, which is more traffic than reading the
// features again.
#include <atomic>

#include "ops/cuda/dense_block.h"
#include "ops/cuda/dense_weight_gradient.cuh"
#include "ops/cuda/dense_weights.cuh"
#include "ops/kernels.h"
#include "ops/precision.h"
#include "tensor/view.h"

namespace mini::cuda {
namespace dense {
namespace {

template <class F>
decltype(auto) visit_way(const F& f) {
  switch (ops::products()) {
    case ops::Products::tf32:
      return f(Tf32{});
    case ops::Products::bfloat16:
      return f(Bfloat16{});
    default:
      return f(Exact{});
  }
}

// The size of the buffer if features are not kept (a band of `fewest_rows` rows may need more). The
// initial value holds enough pixels to fill the device.
std::atomic<std::int64_t> bytes_at_a_time = 128 << 20;
constexpr std::int64_t fewest_rows = 16;

// Copies the images of a tensor into one slab of a buffer and pads it with zeros. A thread copies
// one chunk of a pixel.
template <class Way>
struct PackImages {
  const float* from;
  std::int64_t strides[4];
  std::int64_t channels, width, pixels, chunks;  // pixels per image
  PixelView to;

  __device__ void operator()(std::int64_t index) const {
    using Stored = typename Way::Stored;
    struct alignas(chunk_bytes) Chunk {
      Stored at[chunk_channels<Way>];
    };
    const std::int64_t pixel = index % pixels, chunk = index / pixels % chunks,
                       image = index / pixels / chunks;
    const float* const place =
        from + image * strides[0] + pixel / width * strides[2] + pixel % width * strides[3];
    Chunk values;
    for (int k = 0; k < chunk_channels<Way>; ++k) {
      const std::int64_t c = chunk * chunk_channels<Way> + k;
      values.at[k] = Way::keep(c < channels ? place[c * strides[1]] : 0.0f);
    }
    *reinterpret_cast<Chunk*>(to.first + (image * pixels + pixel) * to.pixel +
                              chunk * chunk_bytes) = values;
  }
};

template <class Way>
void pack_images(const Tensor& from, const Slabs& slabs, std::byte* to) {
  const Shape& s = from.strides();
  const std::int64_t pixels = from.size(2) * from.size(3), chunks = slabs.chunks(0);
  for_each(from.size(0) * pixels * chunks, PackImages<Way>{from.data<float>(),
                                                           {s[0], s[1], s[2], s[3]},
                                                           from.size(1),
                                                           from.size(3),
                                                           pixels,
                                                           chunks,
                                                           {to, slabs.pixel_bytes()}});
}

// Images in buffers of the same height and width.
struct Images {
  std::int64_t count;
  int height, width;
};

template <class Way>
void convolve_images(const Images& images, const PackedWeights& packed, std::size_t k,
                     ConvolutionJob job) {
  const auto tiles = [](int size) { return (size + tile - 1) / tile; };
  const PackedWeights::Convolution& c = packed[k];
  job.chunks = c.chunks;
  job.height = images.height;
  job.width = images.width;
  job.tiles_down = tiles(images.height);
  job.tiles_across = tiles(images.width);
  job.groups = c.groups;
  job.weights = packed.data(k);
  job.outputs = c.outputs;
  const Grid grid{images.count * job.tiles_down * job.tiles_across * c.groups, convolution_threads,
                  static_cast<std::size_t>(stages * stage_bytes(c.columns))};
  if (c.columns == 1)
    launch(grid, convolution<Way, 1>, job);
  else if (c.columns == 2)
    launch(grid, convolution<Way, 2>, job);
  else
    launch(grid, convolution<Way, 4>, job);
}

// Makes a job write its result to slab s of a buffer.
void into_slab(ConvolutionJob& job, const Slabs& slabs, std::size_t s, std::byte* buffer) {
  job.slab = {buffer + slabs.first[s] * chunk_bytes, slabs.pixel_bytes()};
  job.stored = slabs.channels(s);
}
// Makes a job write its result to y, whose first row is row `first_row` of the buffer.
void into_tensor(ConvolutionJob& job, const Tensor& y, std::int64_t first_row) {
  job.y = y.data<float>();
  for (int d = 0; d < 4; ++d) job.y_strides[d] = y.strides()[d];
  job.first_row = static_cast<int>(first_row);
  job.rows = static_cast<int>(y.size(2));
}

// x and y are rows of some images; x may have more rows than y, above and below.
template <class Way>
void forward(const Tensor& x, const Slabs& slabs, const PackedWeights& packed,
             std::span<const Tensor> biases, double slope, std::byte* buffer, const Tensor& y,
             std::int64_t first_row) {
  const Images images{x.size(0), static_cast<int>(x.size(2)), static_cast<int>(x.size(3))};
  pack_images<Way>(x, slabs, buffer);
  for (std::size_t k = 0; k < biases.size(); ++k) {
    ConvolutionJob job{};
    job.in = {buffer, slabs.pixel_bytes()};
    job.half_chunk = slabs.half_chunk();
    job.bias = biases[k].data<float>();
    if (k + 1 < biases.size()) {
      job.slope = static_cast<float>(slope);
      into_slab(job, slabs, k + 1, buffer);
    } else {
      into_tensor(job, y, first_row);
    }
    convolve_images<Way>(images, packed, k, job);
  }
}

// The part of the work done at a time if features are not kept: some images, or a band of rows of
// one. A band is computed like an image. Each convolution makes one row at each inner edge wrong,
// so a band has `depth` additional rows on both sides, one for each convolution.
struct Portion {
  std::int64_t images, rows;
  std::int64_t bytes;  // size of the buffer of features

  Portion(const Shape& x, std::int64_t depth, std::int64_t pixel_bytes)
      : images(1), rows(std::max<std::int64_t>(x[2], 1)) {
    const std::int64_t row = std::max<std::int64_t>(x[3] * pixel_bytes, 1);
    const std::int64_t limit = bytes_at_a_time;
    if (rows * row <= limit)
      images = std::clamp<std::int64_t>(limit / (rows * row), 1, std::max<std::int64_t>(x[0], 1));
    else
      rows = std::min(rows, std::max(fewest_rows, limit / row - 2 * depth));
    bytes = images * std::min(x[2], rows + 2 * depth) * row;
  }
};

template <class Way>
void forward_in_portions(const Tensor& x, const Slabs& slabs, const PackedWeights& packed,
                         std::span<const Tensor> biases, double slope, const Tensor& y) {
  const std::int64_t depth = std::ssize(biases), height = x.size(2);
  const Portion portion(x.shape(), depth, slabs.pixel_bytes());
  const Tensor buffer = Tensor::empty({portion.bytes}, DType::uint8, x.device());
  for (std::int64_t n = 0; n < x.size(0); n += portion.images)
    for (std::int64_t begin = 0; begin < height; begin += portion.rows) {
      const std::int64_t end = std::min(height, begin + portion.rows);
      const std::int64_t top = std::max<std::int64_t>(begin - depth, 0);
      const std::int64_t bottom = std::min(end + depth, height);
      const std::int64_t count = std::min(portion.images, x.size(0) - n);
      const auto part = [&](const Tensor& t, std::int64_t from, std::int64_t to) {
        return ops::narrow(ops::narrow(t, 0, n, count), 2, from, to - from);
      };
      forward<Way>(part(x, top, bottom), slabs, packed, biases, slope, buffer.raw_data(),
                   part(y, begin, end), begin - top);
    }
}

// All pairs of up to 32 channels of features and 32 of gradients whose products a convolution's
// weights need.
template <class Way>
std::vector<Pair> pairs_of(const Slabs& features, const Slabs& gradients,
                           std::span<const Tensor> dw, std::span<const Tensor> db) {
  std::vector<Pair> pairs;
  constexpr std::int64_t step = pair_channels;
  const auto chunks = [](std::int64_t channels) {
    return chunks_of<Way>(static_cast<int>(channels));
  };
  for (std::size_t k = 0; k < dw.size(); ++k) {
    const std::size_t slab = dw.size() - 1 - k;  // index of g_k
    for (std::int64_t o = 0; o < dw[k].size(0); o += step) {
      const std::int64_t outputs = std::min(step, dw[k].size(0) - o);
      std::int64_t before = 0;  // channels of the slabs before s
      for (std::size_t s = 0; s <= k; before += features.sizes[s++])
        for (std::int64_t c = 0; c < features.sizes[s]; c += step) {
          const std::int64_t channels = std::min(step, features.sizes[s] - c);
          pairs.push_back({.feature_chunk = features.first[s] + chunks(c),
                           .gradient_chunk = gradients.first[slab] + chunks(o),
                           .dw = dw[k].data<float>(),
                           .db = before + c == 0 ? db[k].data<float>() : nullptr,
                           .inputs = static_cast<int>(dw[k].size(1)),
                           .channel = static_cast<int>(before + c),
                           .channels = static_cast<int>(channels),
                           .output = static_cast<int>(o),
                           .outputs = static_cast<int>(outputs)});
        }
    }
  }
  return pairs;
}

// Distributes thread blocks over the pairs so that all blocks have about the same work. Returns
// their number.
int share_blocks(std::span<Pair> pairs, std::int64_t patches) {
  // Two blocks for each multiprocessor of an H200. The number is the same on every device, so that
  // the bits are, too.
  constexpr std::int64_t blocks_wanted = 264;
  // Per patch, a full pair takes 8 products of a tile and a column. Prefetching it costs about 2
  // more.
  const auto work = [](const Pair& pair) { return pair.tiles() * pair.columns() + 2; };
  std::int64_t all = 0;
  for (const Pair& pair : pairs) all += work(pair);
  int blocks = 0;
  for (Pair& pair : pairs) {
    pair.parts =
        static_cast<int>(std::clamp<std::int64_t>(blocks_wanted * work(pair) / all, 1, patches));
    pair.first_block = blocks;
    blocks += pair.parts;
  }
  return blocks;
}

template <class Way>
void parameter_gradients(const Images& images, PixelView features, PixelView gradients,
                         const std::vector<Pair>& pairs, Device device) {
  GradientJob job{};
  job.features = features;
  job.gradients = gradients;
  job.height = images.height;
  job.width = images.width;
  job.patches_down = (images.height + patch_rows - 1) / patch_rows;
  job.patches_across = (images.width + patch_across - 1) / patch_across;
  job.patches = images.count * job.patches_down * job.patches_across;
  for (std::size_t first = 0; first < pairs.size(); first += most_pairs) {
    job.pair_count = static_cast<int>(std::min<std::size_t>(most_pairs, pairs.size() - first));
    std::copy_n(pairs.begin() + static_cast<std::ptrdiff_t>(first), job.pair_count, job.pairs);
    const std::int64_t blocks =
        share_blocks({job.pairs, static_cast<std::size_t>(job.pair_count)}, job.patches);
    const Tensor records = Tensor::empty({blocks * record}, DType::float32, device);
    job.records = records.data<float>();
    launch({blocks, gradient_threads, static_cast<std::size_t>(2 * patch_bytes<Way>)},
           weight_gradient<Way>, job);
    for_each(std::int64_t{job.pair_count} * record, AddParts{job});
  }
}

}  // namespace
}  // namespace dense

void set_dense_block_bytes(std::int64_t bytes) { dense::bytes_at_a_time = bytes; }

Shape dense_block_features(const Shape& x, std::span<const Tensor> weights) {
  return dense::visit_way([&]<class Way>(Way) {
    const std::int64_t bytes = dense::feature_slabs<Way>(weights).pixel_bytes();
    return Shape{x[0], x[2], x[3], bytes / 4};
  });
}

std::size_t dense_block_workspace(const Shape& x, std::span<const Tensor> weights) {
  return dense::visit_way([&]<class Way>(Way) {
    const dense::Slabs slabs = dense::feature_slabs<Way>(weights);
    const dense::Portion portion(x, std::ssize(weights), slabs.pixel_bytes());
    return static_cast<std::size_t>(portion.bytes +
                                    dense::forward_weights<Way>(weights, slabs).bytes());
  });
}

void dense_block(const Tensor& x, std::span<const Tensor> weights, std::span<const Tensor> biases,
                 double slope, const Tensor& y, const Tensor& features) {
  if (y.numel() == 0) return;
  dense::visit_way([&]<class Way>(Way) {
    const dense::Slabs slabs = dense::feature_slabs<Way>(weights);
    dense::PackedWeights packed = dense::forward_weights<Way>(weights, slabs);
    packed.pack<Way>(x.device());
    if (features.defined())
      dense::forward<Way>(x, slabs, packed, biases, slope, features.raw_data(), y, 0);
    else
      dense::forward_in_portions<Way>(x, slabs, packed, biases, slope, y);
  });
}

void dense_block_gradient(const Tensor& features, std::span<const Tensor> weights, const Tensor& dy,
                          double slope, const Tensor& dx, std::span<const Tensor> dw,
                          std::span<const Tensor> db) {
  if (dy.numel() == 0) {
    for (const Tensor& t : dw) fill(t, 0);
    for (const Tensor& t : db) fill(t, 0);
    return;
  }
  dense::visit_way([&]<class Way>(Way) {
    const dense::Slabs feature = dense::feature_slabs<Way>(weights);
    const dense::Slabs gradient = dense::gradient_slabs<Way>(weights);
    const std::size_t count = weights.size();
    const dense::Images images{dy.size(0), static_cast<int>(dy.size(2)),
                               static_cast<int>(dy.size(3))};
    dense::PackedWeights packed = dense::backward_weights<Way>(weights, feature, gradient);
    packed.pack<Way>(dy.device());
    const Tensor buffer = Tensor::empty(
        {dy.size(0) * dy.size(2) * dy.size(3), gradient.pixel_bytes()}, DType::uint8, dy.device());
    const dense::PixelView feature_view{features.raw_data(), feature.pixel_bytes()};
    const dense::PixelView gradient_view{buffer.raw_data(), gradient.pixel_bytes()};
    dense::pack_images<Way>(dy, gradient, buffer.raw_data());
    for (std::size_t j = count; j-- > 0;) {
      if (j == 0 && !dx.defined()) break;
      dense::ConvolutionJob job{};
      job.in = gradient_view;
      job.half_chunk = gradient.half_chunk();
      if (j > 0) {
        job.slope = static_cast<float>(slope);
        job.gate = {feature_view.first + feature.first[j] * dense::chunk_bytes, feature_view.pixel};
        dense::into_slab(job, gradient, count - j, buffer.raw_data());
      } else {
        dense::into_tensor(job, dx, 0);
      }
      dense::convolve_images<Way>(images, packed, j, job);
    }
    if (!dw.empty())
      dense::parameter_gradients<Way>(images, feature_view, gradient_view,
                                      dense::pairs_of<Way>(feature, gradient, dw, db), dy.device());
  });
}

}  // namespace mini::cuda
