// The fused dense block on the CPU.
//
// Forward. One blocked image (ops/cpu/blocked.h) per sample holds the slabs x, f_1 .. f_{K-1}, one
// behind the other. Convolution k (ops/cpu/winograd.h) reads the slabs in front of f_k and writes
// f_k: no concatenation, no copy. When nobody will go backward, the convolutions follow each other
// from one row of tiles to the next instead, and of each slab only the last few rows exist.
//
// Backward. The gradients g_k (before the activation) lie in a second blocked image in the opposite
// order, g_K = dy, g_{K-1} .. g_1. What arrives at f_j comes from all later convolutions, which are
// the slabs in front of g_j: so backward is a dense block as well, run through the same convolution
// with the weights gathered, flipped and transposed. Then
//   dw_k = g_k correlated with the slabs in front of f_k,   db_k = sum of g_k,   dx = what arrives at x.
//
// Work is divided by rows of tiles (outputs) and by images and frequencies (weights); every number is
// computed by one thread in a fixed order, so the results do not depend on how many there are.
// Read next: ops/cpu/dense_block.h, then winograd.h, then dense_block_gradient.cpp.
#include "ops/cpu/dense_block.h"

#include <algorithm>
#include <numeric>

#include "ops/kernels.h"

namespace mini::cpu::MINI_ISA {
namespace {

using namespace dense;

std::vector<WeightSource> forward_sources(const Tensor& w) {
  std::vector<WeightSource> sources;
  for (std::int64_t i = 0; i < w.size(1); ++i)
    sources.push_back({w.data<float>() + i * 9, w.size(1) * 9, false});
  return sources;
}

// How many rows of each slab exist at a time when the convolutions follow each other. Every
// convolution lags two rows behind the one in front of it, and the last still reads x.
Layout ring_layout(const Slabs& slabs, std::int64_t width) {
  return {std::ssize(slabs.channels), 2 * std::ssize(slabs.sizes) + 2, width};
}

// How many strips each image is then cut into, so that there is a strip for each thread.
std::int64_t strips_per_image(std::int64_t images, std::int64_t tile_rows) {
  const std::int64_t threads = max_threads();
  return std::clamp<std::int64_t>((threads + images - 1) / std::max<std::int64_t>(images, 1), 1,
                                  std::max<std::int64_t>(tile_rows, 1));
}

// The forward convolutions' filters, not yet packed.
Filters forward_filters(std::span<const Tensor> weights) {
  Filters filters;
  for (std::size_t k = 0; k < weights.size(); ++k)
    filters.add(weights[k].size(1), weights[k].size(0), k + 1 == weights.size());
  return filters;
}

// What the forward passes share.
struct Forward {
  const Tensor &x, &y;
  std::span<const Tensor> weights;
  float slope;
  Slabs slabs = feature_slabs(weights);
  std::size_t last = weights.size() - 1;
  Filters filters = forward_filters(weights);

  void pack(std::span<const Tensor> biases) {
    filters.allocate();
    parallel_tasks(std::ssize(weights), [&](std::int64_t task) {
      const auto k = static_cast<std::size_t>(task);
      filters[k].pack(forward_sources(weights[k]), biases[k].data<float>());
    });
  }

  // One convolution after the other; all features stay in the blocked images at `features`.
  void layer_by_layer(Images images, float* features) const {
    const Layout layout{std::ssize(slabs.channels), x.size(2), x.size(3)};
    pack_images(x, images, features, layout);
    for (std::size_t k = 0; k <= last; ++k)
      for_tile_rows(
          images, layout, filters, [&](std::int64_t n, std::int64_t t, const Scratch& scratch) {
            float* const image = features + n * layout.size();
            const auto in = winograd::window(image, layout, slabs.before(k + 1), t);
            if (k == last)
              convolve(in, layout.width, filters[k], scratch, image_rows(y, n, t));
            else
              convolve(in, layout.width, filters[k], scratch, slope, nullptr,
                       blocked_rows(image + slabs.first[k + 1] * layout.plane(), layout, t));
          });
  }

  // Tile rows [begin, end) of y for image n. At each step every slab advances by one row of tiles,
  // slab s being s of them behind x: what it needs of the slabs in front has then just been made.
  // Each slab also needs rows above and below the strip, those that the convolutions behind it ask
  // for. `ring` holds the last rows of every slab.
  void strip(std::int64_t n, std::int64_t begin, std::int64_t end, float* ring,
             const Scratch& scratch) const {
    const auto depth = static_cast<std::int64_t>(weights.size());
    const Layout layout = ring_layout(slabs, x.size(3));
    const std::int64_t slots = layout.rows(), height = x.size(2);
    for (std::int64_t slot = 0; slot < layout.height; ++slot)
      blocked::clear_border(ring, layout, slot);
    const auto at = [&](std::int64_t b, std::int64_t row) {
      return ring + layout.at(b, (row + slots) % slots - 1);
    };
    for (std::int64_t step = begin - depth; step < end + depth; ++step)
      for (std::int64_t s = 0; s <= depth; ++s) {
        const std::int64_t t = step - s, around = depth - s;
        if (t < begin - around || t >= end + around) continue;
        const auto slab = static_cast<std::size_t>(s);
        const std::int64_t first = slabs.first[slab];
        if (s < depth)  // rows beyond the image are its border
          for (std::int64_t row = 2 * t; row < 2 * t + 2; ++row)
            if (row < 0 || row >= height)
              for (std::int64_t b = first; b < slabs.first[slab + 1]; ++b)
                std::fill_n(at(b, row), layout.row(), 0.0f);
        if (2 * t < 0 || 2 * t >= height) continue;
        const bool second = 2 * t + 1 < height;
        if (s == 0) {
          pack_row(x, n, 2 * t, at(0, 2 * t) + block, layout.plane());
          if (second) pack_row(x, n, 2 * t + 1, at(0, 2 * t + 1) + block, layout.plane());
          continue;
        }
        const winograd::Window in{
            {at(0, 2 * t - 1), at(0, 2 * t), at(0, 2 * t + 1), at(0, 2 * t + 2)},
            layout.plane(),
            slabs.before(slab)};
        if (s == depth)
          convolve(in, layout.width, filters[last], scratch, image_rows(y, n, t));
        else
          convolve(in, layout.width, filters[slab - 1], scratch, slope, nullptr,
                   {at(first, 2 * t) + block, second ? at(first, 2 * t + 1) + block : nullptr,
                    layout.plane()});
      }
  }

  // How the rows are divided changes no value.
  void row_by_row() const {
    const std::int64_t images = x.size(0), height = (x.size(2) + 1) / 2;
    const std::int64_t strips = strips_per_image(images, height);
    parallel_for(images * strips, 1, [&](std::int64_t from, std::int64_t to) {
      const Tensor ring = Tensor::empty({ring_layout(slabs, x.size(3)).size()});
      const Scratch scratch = filters.scratch();
      for (std::int64_t i = from; i < to; ++i)
        strip(i / strips, height * (i % strips) / strips, height * (i % strips + 1) / strips,
              ring.data<float>(), scratch);
    });
  }
};

}  // namespace

Shape dense_block_features(const Shape& x, std::span<const Tensor> weights) {
  const Layout layout{std::ssize(feature_slabs(weights).channels), x[2], x[3]};
  return {x[0], layout.blocks, layout.rows(), layout.columns(), block};
}

std::size_t dense_block_workspace(const Shape& x, std::span<const Tensor> weights) {
  const Filters filters = forward_filters(weights);
  const std::int64_t rings =
      std::min<std::int64_t>(x[0] * strips_per_image(x[0], (x[2] + 1) / 2), max_threads());
  const std::int64_t ring = ring_layout(feature_slabs(weights), x[3]).size();
  return static_cast<std::size_t>(filters.size() + rings * (ring + filters.scratch_size())) *
         sizeof(float);
}

void dense_block(const Tensor& x, std::span<const Tensor> weights, std::span<const Tensor> biases,
                 double slope, const Tensor& y, const Tensor& features) {
  Forward forward{.x = x, .y = y, .weights = weights, .slope = static_cast<float>(slope)};
  forward.pack(biases);
  if (features.defined())
    share(x.size(0),
          [&](Images images) { forward.layer_by_layer(images, features.data<float>()); });
  else
    forward.row_by_row();
}

}  // namespace mini::cpu::MINI_ISA
