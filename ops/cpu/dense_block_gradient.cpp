// Backward of the fused dense block (ops/cpu/dense_block.cpp).
#include <optional>

#include "ops/cpu/dense_block.h"
#include "ops/kernels.h"
#include "tensor/view.h"

namespace mini::cpu::MINI_ISA {
namespace {

using namespace dense;

// g_K = dy, g_{K-1} .. g_1.
Slabs gradient_slabs(std::span<const Tensor> weights) {
  std::vector<std::int64_t> sizes;
  for (std::size_t k = weights.size(); k-- > 0;) sizes.push_back(weights[k].size(0));
  return Slabs(std::move(sizes));
}

// The weights of the convolution from the gradients g_K .. g_{j+1} to what arrives at slab j, where
// slab 0 is x.
std::vector<WeightSource> backward_sources(std::span<const Tensor> weights, std::size_t j) {
  const std::int64_t first = j == 0 ? 0 : weights[j - 1].size(1);
  std::vector<WeightSource> sources;
  for (std::size_t k = weights.size(); k-- > j;)
    for (std::int64_t o = 0; o < weights[k].size(0); ++o)
      sources.push_back({weights[k].data<float>() + (o * weights[k].size(1) + first) * 9, 9, true});
  return sources;
}

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

  // Adds what `images` images contribute, whose features and gradients lie in these blocked images.
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

}  // namespace mini::cpu::MINI_ISA
