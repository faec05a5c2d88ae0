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
// Work is divided by rows of tiles (outputs) and by blocks of input channels (weights); every number
// is computed by one thread in a fixed order, so the results do not depend on how many there are.
#include <algorithm>
#include <numeric>
#include <optional>
#include <vector>

#include "ops/cpu/blocked.h"
#include "ops/cpu/winograd.h"
#include "ops/kernels.h"
#include "tensor/parallel.h"
#include "tensor/view.h"

namespace mini::cpu {
namespace {

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

Slabs feature_slabs(std::span<const Tensor> weights) {
  std::vector<std::int64_t> sizes{weights[0].size(1)};
  for (const Tensor& w : weights.first(weights.size() - 1)) sizes.push_back(w.size(0));
  return Slabs(std::move(sizes));
}

Slabs gradient_slabs(std::span<const Tensor> weights) {
  std::vector<std::int64_t> sizes;
  for (std::size_t k = weights.size(); k-- > 0;) sizes.push_back(weights[k].size(0));
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

std::vector<WeightSource> forward_sources(const Tensor& w) {
  std::vector<WeightSource> sources;
  for (std::int64_t i = 0; i < w.size(1); ++i)
    sources.push_back({w.data<float>() + i * 9, w.size(1) * 9, false});
  return sources;
}

// Of the convolution from the gradients g_K .. g_{j+1} to what arrives at slab j (0 is x).
std::vector<WeightSource> backward_sources(std::span<const Tensor> weights, std::size_t j) {
  const std::int64_t first = j == 0 ? 0 : weights[j - 1].size(1);
  std::vector<WeightSource> sources;
  for (std::size_t k = weights.size(); k-- > j;)
    for (std::int64_t o = 0; o < weights[k].size(0); ++o)
      sources.push_back({weights[k].data<float>() + (o * weights[k].size(1) + first) * 9, 9, true});
  return sources;
}

// Row y of image n of a [N,C,H,W] tensor into the first blocks of `to`, at pixel 0 of a row.
void pack_row(const Tensor& from, std::int64_t n, std::int64_t y, float* to, std::int64_t plane) {
  const Shape& strides = from.strides();
  blocked::pack_row(from.data<float>() + n * strides[0] + y * strides[2], from.size(1), strides[1],
                    strides[3], from.size(3), to, plane);
}

// The same for all rows, each image getting its border.
void pack_images(const Tensor& from, Images images, float* to, const Layout& layout) {
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
Rows<float> image_rows(const Tensor& to, std::int64_t n, std::int64_t t) {
  const Shape& strides = to.strides();
  float* const first = to.data<float>() + n * strides[0] + 2 * t * strides[2];
  return {first, 2 * t + 1 < to.size(2) ? first + strides[2] : nullptr, strides[1]};
}

// The rows of every slab that are there at a time when the convolutions follow each other: the last
// convolution reads x two rows per convolution behind where x has got to.
Layout ring_layout(const Slabs& slabs, std::int64_t width) {
  return {std::ssize(slabs.channels), 2 * std::ssize(slabs.sizes) + 2, width};
}

// Into how many strips each image is then cut: as many as there are threads in all.
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

namespace {

// dw and db from the features and the gradients at all convolutions' outputs, some images at a time.
// Every image has sums of its own, which are then added in the order of the images.
class ParameterGradients {
 public:
  ParameterGradients(const Slabs& feature, const Slabs& gradient, std::int64_t together,
                     std::span<const Tensor> dw, std::span<const Tensor> db)
      : gradient_(gradient),
        weights_(feature.before(dw.size()), convolutions(feature, gradient, dw)),
        dw_(dw),
        db_(db),
        image_sums_(Tensor::empty({together, rows, weights_.row_size()})),
        sums_(Tensor::zeros({rows, weights_.row_size()})),
        bias_sums_(Tensor::zeros({gradient.first.back() * block})) {}

  // What so many images, in these blocked images, contribute.
  void add(std::int64_t images, const float* features, const Layout& layout, const float* gradients,
           const Layout& gradient_layout) const {
    parallel_tasks(images * rows, [&](std::int64_t task) {
      const std::int64_t n = task / rows;
      weights_.row(static_cast<int>(task % rows), features + n * layout.size(), layout,
                   gradients + n * gradient_layout.size(), gradient_layout,
                   image_sums_.data<float>() + task * weights_.row_size());
    });
    const std::int64_t size = sums_.numel();
    float* const sums = sums_.data<float>();
    parallel_for(size, 16384, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t n = 0; n < images; ++n) {
        const float* const of_image = image_sums_.data<float>() + n * size;
        for (std::int64_t i = begin; i < end; ++i) sums[i] += of_image[i];
      }
    });
    parallel_for(gradient_layout.blocks, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t b = begin; b < end; ++b)
        for (std::int64_t n = 0; n < images; ++n)
          blocked::channel_sums(
              gradients + n * gradient_layout.size() + b * gradient_layout.plane(), block,
              gradient_layout, bias_sums_.data<float>() + b * block);
    });
  }

  // Writes the sums to dw and db.
  void finish() const {
    parallel_tasks(std::ssize(dw_), [&](std::int64_t task) {
      const auto k = static_cast<std::size_t>(task);
      weights_.unpack(sums_.data<float>(), k, dw_[k].data<float>());
      std::copy_n(bias_sums_.data<float>() + gradient_.first[dw_.size() - 1 - k] * block,
                  dw_[k].size(0), db_[k].data<float>());
    });
  }

 private:
  static constexpr std::int64_t rows = 4;  // of frequencies

  static std::vector<winograd::WeightGradients::Convolution> convolutions(
      const Slabs& feature, const Slabs& gradient, std::span<const Tensor> dw) {
    std::vector<winograd::WeightGradients::Convolution> result;
    for (std::size_t k = 0; k < dw.size(); ++k)
      result.push_back(
          {feature.channels_before(k + 1), dw[k].size(0), gradient.first[dw.size() - 1 - k]});
    return result;
  }

  const Slabs& gradient_;
  winograd::WeightGradients weights_;
  std::span<const Tensor> dw_, db_;
  Tensor image_sums_, sums_, bias_sums_;
};

}  // namespace

void dense_block_gradient(const Tensor& features, std::span<const Tensor> weights, const Tensor& dy,
                          double slope, const Tensor& dx, std::span<const Tensor> dw,
                          std::span<const Tensor> db) {
  const Slabs feature = feature_slabs(weights), gradient = gradient_slabs(weights);
  const std::int64_t images = dy.size(0);
  const Layout layout{std::ssize(feature.channels), dy.size(2), dy.size(3)};
  const Layout gradient_layout{std::ssize(gradient.channels), dy.size(2), dy.size(3)};
  // A few images at a time: their gradients are small enough to stay near the processor.
  const std::int64_t together = std::min<std::int64_t>(images, max_threads());
  const Tensor buffer = Tensor::empty({together, gradient_layout.size()});
  auto* gradients = buffer.data<float>();
  const std::size_t count = weights.size();

  // Slab j of the features receives the convolution of the `count - j` gradient slabs in front.
  Filters filters;
  for (std::size_t j = 0; j < count; ++j)
    filters.add(gradient.channels_before(count - j), feature.sizes[j], j == 0);
  filters.allocate();
  parallel_tasks(std::ssize(weights), [&](std::int64_t task) {
    const auto j = static_cast<std::size_t>(task);
    filters[j].pack(backward_sources(weights, j), nullptr);
  });

  std::optional<ParameterGradients> parameters;
  if (!dw.empty()) parameters.emplace(feature, gradient, together, dw, db);
  for (std::int64_t begin = 0; begin < images; begin += together) {
    const std::int64_t now = std::min(together, images - begin);
    const Tensor dy_now = ops::narrow(dy, 0, begin, now);
    const Tensor dx_now = dx.defined() ? ops::narrow(dx, 0, begin, now) : dx;
    const float* const features_now = features.data<float>() + begin * layout.size();
    share(now, [&](Images part) {
      pack_images(dy_now, part, gradients, gradient_layout);
      for (std::size_t j = count - 1; j > 0; --j)
        for_tile_rows(
            part, layout, filters, [&](std::int64_t n, std::int64_t t, const Scratch& scratch) {
              float* const image = gradients + n * gradient_layout.size();
              const float* const f = features_now + n * layout.size();
              const auto sign = blocked_rows(f + feature.first[j] * layout.plane(), layout, t);
              convolve(winograd::window(image, gradient_layout, gradient.before(count - j), t),
                       layout.width, filters[j], scratch, static_cast<float>(slope), &sign,
                       blocked_rows(image + gradient.first[count - j] * gradient_layout.plane(),
                                    gradient_layout, t));
            });
      if (dx_now.defined())
        for_tile_rows(
            part, layout, filters, [&](std::int64_t n, std::int64_t t, const Scratch& scratch) {
              const float* const image = gradients + n * gradient_layout.size();
              convolve(winograd::window(image, gradient_layout, gradient.before(count), t),
                       layout.width, filters[0], scratch, image_rows(dx_now, n, t));
            });
    });
    if (parameters) parameters->add(now, features_now, layout, gradients, gradient_layout);
  }
  if (parameters) parameters->finish();
}

}  // namespace mini::cpu
