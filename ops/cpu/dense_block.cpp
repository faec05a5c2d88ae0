// The fused dense block on the CPU.
//
// Forward. One blocked image (ops/cpu/blocked.h) per sample holds the slabs x, f_1 .. f_{K-1}, one
// behind the other. Convolution k reads the slabs in front of f_k and writes f_k: no concatenation,
// no copy. When nobody will go backward, the convolutions follow each other row by row instead, and
// of each slab only the last few rows exist.
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
#include "tensor/view.h"

namespace mini::cpu::MINI_ISA {
namespace {

using blocked::block;
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
  void allocate() { memory_ = Tensor::empty({size()}); }
  std::int64_t size() const { return offsets_.back(); }  // in floats
  float* operator[](std::size_t k) const { return memory_.data<float>() + offsets_[k]; }

 private:
  std::vector<std::int64_t> offsets_{0};
  Tensor memory_;
};

struct Images {
  std::int64_t begin, end;
};

// Calls work(images) so that all are done: by each thread with its share if that is even, and no
// thread waits for another between two layers; otherwise with all at once, and for_rows shares.
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

// Row y of image n of a contiguous [N,C,H,W] tensor from the window around it.
void image_row(const blocked::Window& in, const float* packed, const Tensor& to, std::int64_t n,
               std::int64_t y) {
  blocked::image_row(in, packed, to.size(1),
                     to.data<float>() + n * to.strides()[0] + y * to.strides()[2], to.strides()[1]);
}

// The rows of every slab that are there at a time when the convolutions follow each other.
Layout ring_layout(const Slabs& slabs, std::int64_t width) {
  return {std::ssize(slabs.channels), std::ssize(slabs.sizes), width};
}

// Into how many strips of rows each image is then cut: as many as there are threads in all.
std::int64_t strips_per_image(std::int64_t images, std::int64_t height) {
  const std::int64_t threads = max_threads();
  return std::clamp<std::int64_t>((threads + images - 1) / std::max<std::int64_t>(images, 1), 1,
                                  std::max<std::int64_t>(height, 1));
}

// What the forward passes share.
struct Forward {
  const Tensor &x, &y;
  std::span<const Tensor> weights;
  float slope;
  Slabs slabs = feature_slabs(weights);
  std::size_t last = weights.size() - 1;
  PackedWeights packed{};

  void pack(std::span<const Tensor> biases) {
    for (std::size_t k = 0; k <= last; ++k) packed.reserve(weights[k].size(0), slabs.before(k + 1));
    packed.allocate();
    parallel_tasks(std::ssize(weights), [&](std::int64_t task) {
      const auto k = static_cast<std::size_t>(task);
      const auto pack = k == last ? blocked::pack_image : blocked::pack_wide;
      pack(forward_sources(weights[k]), slabs.before(k + 1), biases[k].data<float>(),
           weights[k].size(0), packed[k]);
    });
  }

  // A row of slab k + 1, the feature of convolution k (counted from 0), to `out` at pixel 0.
  void feature_row(std::size_t k, const blocked::Window& in, float* out) const {
    blocked::wide_row(in, packed[k], weights[k].size(0), out, in.plane);
    const float factor = slope;  // a copy that `out` cannot alias
    for (std::int64_t b = slabs.first[k + 1]; b < slabs.first[k + 2]; ++b, out += in.plane)
      for (std::int64_t i = 0; i < in.width * block; ++i)
        out[i] = out[i] > 0 ? out[i] : out[i] * factor;
  }

  // One convolution after the other; all features stay in the blocked images at `features`.
  void layer_by_layer(Images images, float* features) const {
    const Layout layout{std::ssize(slabs.channels), x.size(2), x.size(3)};
    pack_images(x, images, features, layout);
    for (std::size_t k = 0; k <= last; ++k)
      for_rows(images, layout, [&](std::int64_t n, std::int64_t row) {
        float* image = features + n * layout.size();
        const auto in = blocked::window(image, layout, slabs.before(k + 1), row);
        if (k == last)
          image_row(in, packed[k], y, n, row);
        else
          feature_row(k, in, image + layout.at(slabs.first[k + 1], row) + block);
      });
  }

  // Rows [begin, end) of y for image n. At each step every slab advances by one row, slab s being s
  // rows behind x: the rows that it needs of the slabs in front are then just there. Each slab also
  // needs rows above and below the strip, those that the convolutions behind it will ask for.
  // `ring` holds the last last + 3 rows of every slab.
  void strip(std::int64_t n, std::int64_t begin, std::int64_t end, float* ring) const {
    const auto depth = static_cast<std::int64_t>(weights.size());
    const Layout layout = ring_layout(slabs, x.size(3));
    const std::int64_t slots = layout.height + 2, height = x.size(2);
    for (std::int64_t slot = 0; slot < layout.height; ++slot)
      blocked::clear_border(ring, layout, slot);
    const auto at = [&](std::int64_t b, std::int64_t row) {
      return ring + layout.at(b, (row + slots) % slots - 1);
    };
    for (std::int64_t step = begin - depth; step < end + depth; ++step)
      for (std::int64_t s = 0; s <= depth; ++s) {
        const std::int64_t row = step - s, around = depth - s;
        if (row < begin - around || row >= end + around) continue;
        const auto slab = static_cast<std::size_t>(s);
        if (row < 0 || row >= height) {
          for (std::int64_t b = slabs.first[slab]; b < slabs.first[slab + 1]; ++b)
            std::fill_n(at(b, row), layout.row(), 0.0f);
        } else if (s == 0) {
          pack_row(x, n, row, at(0, row) + block, layout.plane());
        } else {
          const blocked::Window in{{at(0, row - 1), at(0, row), at(0, row + 1)},
                                   layout.plane(),
                                   slabs.before(slab),
                                   layout.width};
          if (s == depth)
            image_row(in, packed[last], y, n, row);
          else
            feature_row(slab - 1, in, at(slabs.first[slab], row) + block);
        }
      }
  }

  // How the rows are divided changes no value.
  void row_by_row() const {
    const std::int64_t images = x.size(0), height = x.size(2);
    const std::int64_t strips = strips_per_image(images, height);
    parallel_for(images * strips, 1, [&](std::int64_t from, std::int64_t to) {
      const Tensor ring = Tensor::empty({ring_layout(slabs, x.size(3)).size()});
      for (std::int64_t i = from; i < to; ++i)
        strip(i / strips, height * (i % strips) / strips, height * (i % strips + 1) / strips,
              ring.data<float>());
    });
  }
};

}  // namespace

Shape dense_block_features(const Shape& x, std::span<const Tensor> weights) {
  return {x[0], std::ssize(feature_slabs(weights).channels), x[2] + 2, x[3] + 2, block};
}

std::size_t dense_block_workspace(const Shape& x, std::span<const Tensor> weights) {
  const Slabs slabs = feature_slabs(weights);
  PackedWeights packed;
  for (std::size_t k = 0; k < weights.size(); ++k)
    packed.reserve(weights[k].size(0), slabs.before(k + 1));
  const std::int64_t rings =
      std::min<std::int64_t>(x[0] * strips_per_image(x[0], x[2]), max_threads());
  return static_cast<std::size_t>(packed.size() + rings * ring_layout(slabs, x[3]).size()) *
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

// dw and db from the features and the gradients at all convolutions' outputs, image after image. A
// task is one convolution and one block of its input channels, or its bias.
class ParameterGradients {
 public:
  ParameterGradients(const Slabs& feature, const Slabs& gradient, std::span<const Tensor> dw,
                     std::span<const Tensor> db)
      : feature_(feature), gradient_(gradient), dw_(dw), db_(db) {
    for (std::size_t k = 0; k < dw.size(); ++k) {
      std::int64_t channel = 0;
      for (std::int64_t b = 0; b < feature.first[k + 1]; ++b) {
        tasks_.push_back({k, b, channel});
        channel += feature.channels[static_cast<std::size_t>(b)];
      }
      tasks_.push_back({k, bias, 0});
      scratch_ = std::max(scratch_, blocked::gradient_size(dw[k].size(0)));
    }
    sums_ = Tensor::zeros({std::ssize(tasks_), scratch_});
  }

  // What so many images, in these blocked images, contribute.
  void add(std::int64_t images, const float* features, const Layout& layout, const float* gradients,
           const Layout& gradient_layout) const {
    parallel_tasks(std::ssize(tasks_), [&](std::int64_t index) {
      const Task& task = tasks_[static_cast<std::size_t>(index)];
      const std::int64_t outputs = dw_[task.k].size(0);
      const std::size_t slab = dw_.size() - 1 - task.k;  // of g_k
      for (std::int64_t n = 0; n < images; ++n) {
        const float* g = gradients + n * gradient_layout.size() +
                         gradient_.first[slab] * gradient_layout.plane();
        if (task.block == bias)
          blocked::channel_sums(g, outputs, layout, sum(index));
        else
          blocked::weight_gradient(features + n * layout.size() + task.block * layout.plane(),
                                   inputs(task), g, outputs, layout, sum(index));
      }
    });
  }

  // Writes the sums to dw and db.
  void finish() const {
    parallel_tasks(std::ssize(tasks_), [&](std::int64_t index) {
      const Task& task = tasks_[static_cast<std::size_t>(index)];
      const std::int64_t outputs = dw_[task.k].size(0);
      if (task.block == bias)
        std::copy_n(sum(index), outputs, db_[task.k].data<float>());
      else
        blocked::unpack_gradient(sum(index), inputs(task), outputs, dw_[task.k].strides()[0],
                                 dw_[task.k].data<float>() + task.first_channel * 9);
    });
  }

 private:
  static constexpr std::int64_t bias = -1;
  struct Task {
    std::size_t k;
    std::int64_t block;          // of the input channels, or `bias`
    std::int64_t first_channel;  // of that block
  };
  float* sum(std::int64_t index) const { return sums_.data<float>() + index * scratch_; }
  std::int64_t inputs(const Task& task) const {
    return feature_.channels[static_cast<std::size_t>(task.block)];
  }

  const Slabs &feature_, &gradient_;
  std::span<const Tensor> dw_, db_;
  std::vector<Task> tasks_;
  std::int64_t scratch_ = 0;  // floats per sum
  Tensor sums_;
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
  PackedWeights packed;
  for (std::size_t j = 0; j < count; ++j)
    packed.reserve(feature.sizes[j], gradient.before(count - j));
  packed.allocate();
  parallel_tasks(std::ssize(weights), [&](std::int64_t task) {
    const auto j = static_cast<std::size_t>(task);
    const auto pack = j == 0 ? blocked::pack_image : blocked::pack_wide;
    pack(backward_sources(weights, j), gradient.before(count - j), nullptr, feature.sizes[j],
         packed[j]);
  });

  const ParameterGradients parameters(feature, gradient, dw, db);
  for (std::int64_t begin = 0; begin < images; begin += together) {
    const std::int64_t now = std::min(together, images - begin);
    const Tensor dy_now = ops::narrow(dy, 0, begin, now);
    const Tensor dx_now = dx.defined() ? ops::narrow(dx, 0, begin, now) : dx;
    const float* const features_now = features.data<float>() + begin * layout.size();
    share(now, [&](Images part) {
      pack_images(dy_now, part, gradients, gradient_layout);
      for (std::size_t j = count - 1; j > 0; --j)
        for_rows(part, layout, [&](std::int64_t n, std::int64_t row) {
          float* image = gradients + n * gradient_layout.size();
          float* g = image + gradient_layout.at(gradient.first[count - j], row) + block;
          const float* f =
              features_now + n * layout.size() + layout.at(feature.first[j], row) + block;
          blocked::wide_row(
              blocked::window(image, gradient_layout, gradient.before(count - j), row), packed[j],
              feature.sizes[j], g, gradient_layout.plane());
          const auto a = static_cast<float>(slope);
          for (std::int64_t b = feature.first[j]; b < feature.first[j + 1]; ++b) {
            for (std::int64_t i = 0; i < layout.width * block; ++i)
              g[i] = f[i] > 0 ? g[i] : g[i] * a;
            f += layout.plane();
            g += gradient_layout.plane();
          }
        });
      if (dx_now.defined())
        for_rows(part, layout, [&](std::int64_t n, std::int64_t row) {
          image_row(blocked::window(gradients + n * gradient_layout.size(), gradient_layout,
                                    gradient.before(count), row),
                    packed[0], dx_now, n, row);
        });
    });
    if (!dw.empty()) parameters.add(now, features_now, layout, gradients, gradient_layout);
  }
  if (!dw.empty()) parameters.finish();
}

}  // namespace mini::cpu::MINI_ISA
