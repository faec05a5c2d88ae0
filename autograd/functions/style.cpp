// What StyleGAN2 adds to convolutions (T. Karras et al., "Analyzing and improving the image quality
// of StyleGAN", CVPR 2020). Filtering and the fused activation are linear in what arrives, so their
// gradients are a filter and an activation again; the rest is composed of functions of the catalogue.
#include <algorithm>
#include <array>

#include "autograd/functions.h"
#include "autograd/node.h"
#include "ops/activation.h"
#include "ops/elementwise.h"
#include "ops/fir.h"
#include "tensor/view.h"

namespace mini {
namespace {

constexpr double tiny = 1e-8;  // so that no root is of 0

Tensor turned(const Tensor& kernel) {  // by half a turn; a constant
  const NoGrad guard;
  return flip(flip(kernel, 0), 1);
}

// Linear in dy; the signs of y are a constant.
Tensor fused_leaky_relu_gradient(const Tensor& dy, const Tensor& y, double slope, double scale) {
  return record("fused_leaky_relu_gradient", {dy},
                ops::fused_leaky_relu_gradient(dy, y, slope, scale),
                [y, slope, scale](const Backward&, const Tensor& v) {
                  return Tensors{fused_leaky_relu_gradient(v, y, slope, scale)};
                });
}

// 1/sqrt(Σ (weight·style)² + 1e-8) for each sample and output: [N,O].
Tensor demodulation(const Tensor& weight, const Tensor& style) {
  constexpr std::array<int, 2> taps{2, 3};
  const Tensor squares = sum(square(weight), taps);  // [O,C]
  return pow(matmul(square(style), transpose(squares, 0, 1)) + tiny, -0.5);
}

Tensor convolve(const Tensor& x, const Tensor& weight, Resampling way) {
  const std::int64_t margin = way == Resampling::same ? (weight.size(2) - 1) / 2 : 0;
  const std::int64_t stride = way == Resampling::same ? 1 : 2;
  const Conv2dParams params{.stride = {stride, stride}, .padding = {margin, margin}};
  return way == Resampling::up ? conv_transpose2d(x, transpose(weight, 0, 1), {}, params)
                               : conv2d(x, weight, {}, params);
}

}  // namespace

Tensor upfirdn2d(const Tensor& x, const Tensor& kernel, const FirParams& params) {
  return record("upfirdn2d", {x}, ops::upfirdn2d(x, kernel, params),
                [kernel = kernel.detach(), adjoint = params.adjoint(x.shape(), kernel.shape())](
                    const Backward&, const Tensor& dy) {
                  return Tensors{upfirdn2d(dy, turned(kernel), adjoint)};
                });
}

Tensor fused_leaky_relu(const Tensor& x, const Tensor& bias, double slope, double scale) {
  return record(
      "fused_leaky_relu", {x, bias}, ops::fused_leaky_relu(x, bias, slope, scale),
      [slope, scale](const Backward& context, const Tensor& dy) {
        const Tensor dx = fused_leaky_relu_gradient(dy, context.output().detach(), slope, scale);
        std::vector<int> all_but_channels{0};
        for (int d = 2; d < dx.rank(); ++d) all_but_channels.push_back(d);
        return Tensors{dx, context.needs(1) ? sum(dx, all_but_channels) : Tensor{}};
      },
      Save::output);
}

// A convolution is linear, so what multiplies a weight's inputs may as well multiply the image, and
// what multiplies its outputs the result. So one convolution serves all samples; a single sample has
// the choice, and whatever is smaller is multiplied.
Tensor modulated_conv2d(const Tensor& x, const Tensor& weight, const Tensor& style, bool demodulate,
                        Resampling way) {
  check(x.rank() == 4 && weight.rank() == 4 && x.size(1) == weight.size(1) &&
            weight.size(2) == weight.size(3),
        "modulated_conv2d: needs x [N,C,H,W] and weight [O,C,k,k] (x=", x.shape(),
        ", weight=", weight.shape(), ")");
  const std::int64_t samples = x.size(0), channels = x.size(1), outputs = weight.size(0);
  check(style.shape() == Shape{samples, channels}, "modulated_conv2d: style of shape ",
        style.shape(), " for ", samples, " samples of ", channels, " channels");
  const Tensor scale = demodulate ? demodulation(weight, style) : Tensor{};
  if (samples == 1 && weight.numel() < x.numel()) {
    Tensor own = weight * reshape(style, {1, channels, 1, 1});
    if (demodulate) own = own * reshape(scale, {outputs, 1, 1, 1});
    return convolve(x, own, way);
  }
  const Tensor y = convolve(x * reshape(style, {samples, channels, 1, 1}), weight, way);
  return demodulate ? y * reshape(scale, {samples, outputs, 1, 1}) : y;
}

Tensor pixel_norm(const Tensor& x) {
  constexpr std::array<int, 1> channels{1};
  return x * pow(mean(square(x), channels, true) + tiny, -0.5);
}

Tensor l2_normalise(const Tensor& x, int dim, double epsilon) {
  const std::array<int, 1> dims{dim};
  return x / (sqrt(sum(square(x), dims, true)) + epsilon);
}

Tensor minibatch_stddev(const Tensor& x) {
  check(x.rank() == 4, "minibatch_stddev: input must be [N,C,H,W], got ", x.shape());
  const std::int64_t samples = x.size(0), size = std::min<std::int64_t>(4, samples);
  check(samples > 0 && samples % size == 0, "minibatch_stddev: ", samples,
        " samples do not split into groups of ", size, "; use another batch");
  const std::int64_t groups = samples / size, values = x.numel() / samples;
  constexpr std::array<int, 1> within{0}, of_a_group{1};
  const Tensor grouped = reshape(x, {size, groups, values});
  const Tensor variance = mean(square(grouped - mean(grouped, within, true)), within);
  const Tensor deviation = mean(sqrt(variance + tiny), of_a_group);  // [groups]
  const Tensor channel =
      expand(reshape(deviation, {1, groups, 1, 1, 1}), {size, groups, 1, x.size(2), x.size(3)});
  return concat({x, reshape(channel, {samples, 1, x.size(2), x.size(3)})}, 1);
}

Tensor dropout(const Tensor& x, double p, Generator& generator) {
  check(p >= 0 && p < 1, "dropout: the probability must be at least 0 and below 1, got ", p);
  const Tensor draws =
      ops::cast(ops::uniform(generator, x.shape(), DType::float32, {}, x.device()), x.dtype());
  const Tensor kept = greater_equal(draws, Tensor::full({}, p, x.dtype(), x.device()));
  return x * (kept * (1 / (1 - p)));
}

}  // namespace mini
