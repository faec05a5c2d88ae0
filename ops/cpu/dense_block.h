// What the two passes of the fused dense block share (ops/cpu/dense_block.cpp,
// ops/cpu/dense_block_gradient.cpp): where the slabs lie, the transformed weights, and how work is
// divided among threads.
#pragma once

#include <algorithm>
#include <numeric>
#include <vector>

#include "ops/cpu/blocked.h"
#include "ops/cpu/winograd.h"
#include "tensor/parallel.h"
#include "tensor/tensor.h"

namespace mini::cpu::MINI_ISA::dense {

using blocked::block;
using blocked::Layout;
using winograd::Filter;
using winograd::Rows;
using winograd::Scratch;
using winograd::WeightSource;

// A sequence of slabs of channels, each of which begins a new block.
struct Slabs {
  std::vector<std::int64_t> sizes;     // channels of each slab
  std::vector<std::int64_t> first;     // its first block; one entry more than slabs
  std::vector<std::int64_t> channels;  // real channels of each block

  explicit Slabs(std::vector<std::int64_t> slab_sizes) : sizes(std::move(slab_sizes)), first{0} {
    for (const std::int64_t size : sizes) {
      for (std::int64_t c = 0; c < size; c += block) channels.push_back(std::min(block, size - c));
      first.push_back(std::ssize(channels));
    }
  }
  // The blocks in front of slab s.
  std::span<const std::int64_t> before(std::size_t s) const {
    return std::span(channels).first(static_cast<std::size_t>(first[s]));
  }
  // The channels in front of slab s.
  std::int64_t channels_before(std::size_t s) const {
    return std::accumulate(sizes.begin(), sizes.begin() + static_cast<std::ptrdiff_t>(s),
                           std::int64_t{0});
  }
};

// x, f_1 .. f_{K-1}.
inline Slabs feature_slabs(std::span<const Tensor> weights) {
  std::vector<std::int64_t> sizes{weights[0].size(1)};
  for (const Tensor& w : weights.first(weights.size() - 1)) sizes.push_back(w.size(0));
  return Slabs(std::move(sizes));
}

// The transformed weights of all convolutions, in one piece of memory.
class Filters {
 public:
  // The next convolution; one to an ordinary image may be narrow.
  void add(std::int64_t inputs, std::int64_t outputs, bool to_image) {
    offsets_.push_back(size_);
    size_ += (Filter::size(inputs, outputs) + block - 1) / block * block;
    filters_.push_back(
        {inputs, outputs, to_image && Filter::narrow_is_faster(inputs, outputs), nullptr});
    most_inputs_ = std::max(most_inputs_, inputs);
    most_outputs_ = std::max(most_outputs_, outputs);
  }
  void allocate() {
    memory_ = Tensor::empty({size_});
    for (std::size_t k = 0; k < filters_.size(); ++k)
      filters_[k].memory = memory_.data<float>() + offsets_[k];
  }
  std::int64_t size() const { return size_; }  // in floats
  std::int64_t scratch_size() const { return Scratch::size(most_inputs_, most_outputs_); }
  Scratch scratch() const { return {most_inputs_, most_outputs_}; }
  const Filter& operator[](std::size_t k) const { return filters_[k]; }

 private:
  std::vector<Filter> filters_;
  std::vector<std::int64_t> offsets_;
  std::int64_t size_ = 0, most_inputs_ = 0, most_outputs_ = 0;
  Tensor memory_;
};

struct Images {
  std::int64_t begin, end;
};

// Calls work(images) so that all are done. If the images can be divided evenly, each thread takes its
// share through all layers without waiting for the others; otherwise all images go through a layer
// at once, and for_rows or for_tile_rows divides them.
template <class Work>
void share(std::int64_t images, const Work& work) {
  if (images % max_threads() == 0)
    parallel_for(images, 1, [&](std::int64_t begin, std::int64_t end) {
      work(Images{begin, end});
    });
  else
    work(Images{0, images});
}

// Calls body(n, y) for every row of the images.
template <class Body>
void for_rows(Images images, const Layout& layout, const Body& body) {
  const std::int64_t height = layout.height;
  const std::int64_t grain =
      std::max<std::int64_t>(1, 128 / std::max<std::int64_t>(1, layout.width));
  parallel_for((images.end - images.begin) * height, grain,
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t i = begin; i < end; ++i)
                   body(images.begin + i / height, i % height);
               });
}

// Calls body(n, t, scratch) for every row of tiles of the images.
template <class Body>
void for_tile_rows(Images images, const Layout& layout, const Filters& filters, const Body& body) {
  const std::int64_t height = layout.tile_rows();
  const std::int64_t grain =
      std::max<std::int64_t>(1, 32 / std::max<std::int64_t>(1, layout.tile_columns()));
  parallel_for((images.end - images.begin) * height, grain,
               [&](std::int64_t begin, std::int64_t end) {
                 const Scratch scratch = filters.scratch();
                 for (std::int64_t i = begin; i < end; ++i)
                   body(images.begin + i / height, i % height, scratch);
               });
}

// Row y of image n of a [N,C,H,W] tensor into the first blocks of `to`, at pixel 0 of a row.
inline void pack_row(const Tensor& from, std::int64_t n, std::int64_t y, float* to,
                     std::int64_t plane) {
  const Shape& strides = from.strides();
  blocked::pack_row(from.data<float>() + n * strides[0] + y * strides[2], from.size(1), strides[1],
                    strides[3], from.size(3), to, plane);
}

// The same for all rows, each image getting its border.
inline void pack_images(const Tensor& from, Images images, float* to, const Layout& layout) {
  for_rows(images, layout, [&](std::int64_t n, std::int64_t y) {
    float* image = to + n * layout.size();
    blocked::clear_border(image, layout, y);
    pack_row(from, n, y, image + layout.at(0, y) + block, layout.plane());
  });
}

// Tile row t of some blocks, which begin at `image`.
template <class T>
Rows<T> blocked_rows(T* image, const Layout& layout, std::int64_t t) {
  T* const first = image + layout.at(0, 2 * t) + block;
  return {first, 2 * t + 1 < layout.height ? first + layout.row() : nullptr, layout.plane()};
}

// Tile row t of image n of a contiguous [N,C,H,W] tensor.
inline Rows<float> image_rows(const Tensor& to, std::int64_t n, std::int64_t t) {
  const Shape& strides = to.strides();
  float* const first = to.data<float>() + n * strides[0] + 2 * t * strides[2];
  return {first, 2 * t + 1 < to.size(2) ? first + strides[2] : nullptr, strides[1]};
}

}  // namespace mini::cpu::MINI_ISA::dense
