// The fused dense block on the CPU.
//
// Forward. One blocked image (ops/cpu/blocked.h) per sample holds the slabs x, f_1 .. f_{K-1}, one
// behind the other. Convolution k reads the slabs in front of f_k and writes f_k: no concatenation,
// no copy.
//
// Backward. The gradients g_k (before the activation) lie in a second blocked image in the opposite
// order, g_K = dy, g_{K-1} .. g_1. What arrives at f_j comes from all later convolutions, which are
// the slabs in front of g_j: so backward is a dense block as well, run through the same kernel with
// the weights gathered, flipped and transposed. Then
//   dw_k = g_k correlated with the slabs in front of f_k,   db_k = Σ g_k,   dx = what arrives at x.
//
// Work is divided by rows (outputs) and by blocks of input channels (weights); every number is
// computed by one thread in a fixed order, so the results do not depend on how many there are.
#include <algorithm>
#include <vector>

#include "ops/cpu/blocked.h"
#include "ops/kernels.h"
#include "tensor/parallel.h"

namespace mini::cpu {
namespace {

using blocked::block;
using blocked::blocks_for;
using blocked::Layout;
using blocked::WeightSource;

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

// Scratch for the packed weights of all convolutions.
class PackedWeights {
 public:
  void reserve(std::int64_t outputs, std::span<const std::int64_t> channels) {
    const std::int64_t size = blocked::packed_size(outputs, channels);
    offsets_.push_back(offsets_.back() + (size + block - 1) / block * block);
  }
  void allocate() { memory_ = Tensor::empty({offsets_.back()}); }
  float* operator[](std::size_t k) const { return memory_.data<float>() + offsets_[k]; }

 private:
  std::vector<std::int64_t> offsets_{0};
  Tensor memory_;
};

// Calls body(n, y) for every row of every image.
template <class Body>
void for_rows(std::int64_t images, std::int64_t height, const Body& body) {
  parallel_for(images * height, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) body(i / height, i % height);
  });
}

// Applies body(pointer to the first channel, floats) to the pixels of row y of a slab.
template <class Body>
void for_slab_row(const Slabs& slabs, std::size_t s, const Layout& layout, std::int64_t y,
                  const Body& body) {
  for (std::int64_t b = slabs.first[s]; b < slabs.first[s + 1]; ++b)
    body(layout.at(b, y) + block, layout.width * block, b - slabs.first[s]);
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

void pack_rows(const Tensor& from, float* to, const Layout& layout) {
  const Shape& strides = from.strides();
  for_rows(from.size(0), layout.height, [&](std::int64_t n, std::int64_t y) {
    float* image = to + n * layout.size();
    blocked::clear_border(image, layout, y);
    blocked::pack_row(from.data<float>() + n * strides[0], from.size(1),
                      std::span(strides.begin() + 1, 3), image, layout, 0, y);
  });
}

}  // namespace

Shape dense_block_features(const Shape& x, std::span<const Tensor> weights) {
  return {x[0], std::ssize(feature_slabs(weights).channels), x[2] + 2, x[3] + 2, block};
}

void dense_block(const Tensor& x, std::span<const Tensor> weights, std::span<const Tensor> biases,
                 double slope, const Tensor& y, const Tensor& saved) {
  const Slabs slabs = feature_slabs(weights);
  const Layout layout{std::ssize(slabs.channels), x.size(2), x.size(3)};
  const Tensor buffer =
      saved.defined() ? saved : Tensor::empty(dense_block_features(x.shape(), weights));
  float* const features = buffer.data<float>();
  const std::size_t last = weights.size() - 1;

  PackedWeights packed;
  for (std::size_t k = 0; k <= last; ++k) packed.reserve(weights[k].size(0), slabs.before(k + 1));
  packed.allocate();
  parallel_tasks(std::ssize(weights), [&](std::int64_t task) {
    const auto k = static_cast<std::size_t>(task);
    const auto pack = k == last ? blocked::pack_thin : blocked::pack_wide;
    pack(forward_sources(weights[k]), slabs.before(k + 1), biases[k].data<float>(),
         weights[k].size(0), packed[k]);
  });

  pack_rows(x, features, layout);
  for (std::size_t k = 0; k < last; ++k)
    for_rows(x.size(0), layout.height, [&](std::int64_t n, std::int64_t row) {
      float* image = features + n * layout.size();
      blocked::wide_row(blocked::window(image, layout, slabs.before(k + 1), row), packed[k],
                        weights[k].size(0), image + layout.at(slabs.first[k + 1], row) + block,
                        layout.plane());
      for_slab_row(slabs, k + 1, layout, row,
                   [&](std::int64_t at, std::int64_t count, std::int64_t) {
                     const float a = static_cast<float>(slope);
                     float* f = image + at;
                     for (std::int64_t i = 0; i < count; ++i) f[i] = f[i] > 0 ? f[i] : f[i] * a;
                   });
    });
  for_rows(x.size(0), layout.height, [&](std::int64_t n, std::int64_t row) {
    blocked::thin_row(
        blocked::window(features + n * layout.size(), layout, slabs.before(last + 1), row),
        packed[last], y.size(1), y.data<float>() + n * y.strides()[0] + row * y.strides()[2],
        y.strides()[1]);
  });
}

namespace {

// dw and db from the features and the gradients at all convolutions' outputs. A task is one
// convolution and one block of its input channels, or the bias of one block of outputs.
void parameter_gradients(const float* features, const Slabs& feature, const Layout& layout,
                         const float* gradients, const Slabs& gradient,
                         const Layout& gradient_layout, std::int64_t images,
                         std::span<const Tensor> dw, std::span<const Tensor> db) {
  struct Task {
    std::size_t k;
    std::int64_t block;          // of the input channels; -1: the bias
    std::int64_t first_channel;  // of that block
  };
  const std::size_t last = dw.size() - 1;
  std::vector<Task> tasks;
  std::int64_t scratch = 0;
  for (std::size_t k = 0; k < dw.size(); ++k) {
    std::int64_t channel = 0;
    for (std::int64_t b = 0; b < feature.first[k + 1]; ++b) {
      tasks.push_back({k, b, channel});
      channel += feature.channels[static_cast<std::size_t>(b)];
    }
    tasks.push_back({k, -1, 0});
    scratch = std::max(scratch, blocked::gradient_size(dw[k].size(0)));
  }
  const Tensor sums = Tensor::zeros({std::ssize(tasks), scratch});

  parallel_tasks(std::ssize(tasks), [&](std::int64_t index) {
    const Task& task = tasks[static_cast<std::size_t>(index)];
    const std::int64_t outputs = dw[task.k].size(0);
    float* const sum = sums.data<float>() + index * scratch;
    const float* g =
        gradients + gradient.first[last - task.k] * gradient_layout.plane();  // slab of g_k
    if (task.block < 0) {
      for (std::int64_t n = 0; n < images; ++n)
        blocked::channel_sums(g + n * gradient_layout.size(), outputs, layout, sum);
      std::copy_n(sum, outputs, db[task.k].data<float>());
      return;
    }
    const float* f = features + task.block * layout.plane();
    const std::int64_t inputs = feature.channels[static_cast<std::size_t>(task.block)];
    const auto add = task.k == last ? blocked::thin_weight_gradient : blocked::wide_weight_gradient;
    const auto unpack =
        task.k == last ? blocked::unpack_thin_gradient : blocked::unpack_wide_gradient;
    for (std::int64_t n = 0; n < images; ++n)
      add(f + n * layout.size(), inputs, g + n * gradient_layout.size(), outputs, layout, sum);
    unpack(sum, inputs, outputs, dw[task.k].strides()[0],
           dw[task.k].data<float>() + task.first_channel * 9);
  });
}

}  // namespace

void dense_block_gradient(const Tensor& features, std::span<const Tensor> weights, const Tensor& dy,
                          double slope, const Tensor& dx, std::span<const Tensor> dw,
                          std::span<const Tensor> db) {
  const Slabs feature = feature_slabs(weights), gradient = gradient_slabs(weights);
  const std::int64_t images = dy.size(0);
  const Layout layout{std::ssize(feature.channels), dy.size(2), dy.size(3)};
  const Layout gradient_layout{std::ssize(gradient.channels), dy.size(2), dy.size(3)};
  const Tensor buffer = Tensor::empty({images, gradient_layout.size()});
  float* const gradients = buffer.data<float>();
  const std::size_t count = weights.size();

  // Slab j of the features receives the convolution of the `count - j` gradient slabs in front.
  PackedWeights packed;
  for (std::size_t j = 0; j < count; ++j)
    packed.reserve(feature.sizes[j], gradient.before(count - j));
  packed.allocate();
  parallel_tasks(std::ssize(weights), [&](std::int64_t task) {
    const auto j = static_cast<std::size_t>(task);
    const auto pack = j == 0 ? blocked::pack_thin : blocked::pack_wide;
    pack(backward_sources(weights, j), gradient.before(count - j), nullptr, feature.sizes[j],
         packed[j]);
  });

  pack_rows(dy, gradients, gradient_layout);
  for (std::size_t j = count - 1; j > 0; --j)
    for_rows(images, layout.height, [&](std::int64_t n, std::int64_t row) {
      float* image = gradients + n * gradient_layout.size();
      blocked::wide_row(blocked::window(image, gradient_layout, gradient.before(count - j), row),
                        packed[j], feature.sizes[j],
                        image + gradient_layout.at(gradient.first[count - j], row) + block,
                        gradient_layout.plane());
      for_slab_row(gradient, count - j, gradient_layout, row,
                   [&](std::int64_t at, std::int64_t floats, std::int64_t b) {
                     const float a = static_cast<float>(slope);
                     const float* f = features.data<float>() + n * layout.size() +
                                      layout.at(feature.first[j] + b, row) + block;
                     float* g = image + at;
                     for (std::int64_t i = 0; i < floats; ++i) g[i] = f[i] > 0 ? g[i] : g[i] * a;
                   });
    });
  if (dx.defined())
    for_rows(images, layout.height, [&](std::int64_t n, std::int64_t row) {
      blocked::thin_row(blocked::window(gradients + n * gradient_layout.size(), gradient_layout,
                                        gradient.before(count), row),
                        packed[0], dx.size(1),
                        dx.data<float>() + n * dx.strides()[0] + row * dx.strides()[2],
                        dx.strides()[1]);
    });
  if (!dw.empty())
    parameter_gradients(features.data<float>(), feature, layout, gradients, gradient,
                        gradient_layout, images, dw, db);
}

}  // namespace mini::cpu
