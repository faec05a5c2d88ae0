// The JPEG simulator and the estimate of a JPEG's size, with gradients. The estimate is composed of
// functions of the catalogue. The simulator has fused kernels for the value and the first derivative;
// when backward is itself recorded, it replays its definition as a composition, too.
#include "ops/jpeg.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "autograd/functions.h"
#include "autograd/node.h"
#include "ops/functors_jpeg.h"
#include "tensor/view.h"

namespace mini {
namespace {

Tensor constant(std::span<const double> values, const Shape& shape, const Tensor& like) {
  return ops::to_device(ops::cast(Tensor::from(values, shape), like.dtype()), like.device());
}

// The 3x3 matrix m applied to the channels of x [N,3,H,W].
Tensor mix_channels(const double (&m)[3][3], const Tensor& x) {
  const Tensor matrix = constant({&m[0][0], 9}, {3, 3}, x);
  return reshape(matmul(matrix, reshape(x, {x.size(0), 3, -1})), x.shape());
}

// [N,C,H,W] -> [N,C,H/8,W/8,8,8] and back.
Tensor to_blocks(const Tensor& x) {
  const Tensor split = reshape(x, {x.size(0), x.size(1), x.size(2) / 8, 8, x.size(3) / 8, 8});
  return permute(split, std::array{0, 1, 2, 4, 3, 5});
}
Tensor from_blocks(const Tensor& x) {
  const Tensor turned = permute(x, std::array{0, 1, 2, 4, 3, 5});
  return reshape(turned, {x.size(0), x.size(1), x.size(2) * 8, x.size(3) * 8});
}

// DCT, division by the quantisation steps, soft rounding, and the inverse; x [N,C,H,W] is centred
// at 0. A scale of 0 leaves an image unquantised.
Tensor code_blocks(const Tensor& x, const double (&table)[64], std::span<const double> scales) {
  std::vector<double> steps, amounts;
  for (const double scale : scales) {
    for (const double entry : table) steps.push_back(scale > 0 ? entry * scale : 1);
    amounts.push_back(scale > 0 ? 1 : 0);
  }
  const Tensor step = constant(steps, {x.size(0), 1, 1, 1, 8, 8}, x);
  const Tensor amount = constant(amounts, {x.size(0), 1, 1, 1, 1, 1}, x);
  const Tensor dct = constant(ops::dct_matrix(), {8, 8}, x);
  const Tensor inverse = transpose(dct, 0, 1);

  const Tensor v = matmul(matmul(dct, to_blocks(x)), inverse) / step;
  Tensor sines = Tensor::zeros({}, x.dtype(), x.device());
  for (int n = 1; n <= functors::soft_round_terms; ++n) {
    const double sign = n % 2 == 1 ? 1 : -1;
    sines = sines + sin(v * (2 * std::numbers::pi * n)) * (sign / (n * std::numbers::pi));
  }
  return from_blocks(matmul(matmul(inverse, (v - amount * sines) * step), dct));
}

// What JPEG codes of x [N,3,H,W], padded to whole blocks: Y, and Cb and Cr averaged over 2x2 pixels,
// all centred at 0.
struct Planes {
  Tensor luma, chroma;
};
Planes planes_of(const Tensor& x) {
  const auto up_to_16 = [](std::int64_t size) { return (size + 15) / 16 * 16 - size; };
  const Tensor padded =
      pad2d(x, {0, up_to_16(x.size(3)), 0, up_to_16(x.size(2))}, PadMode::replicate);
  const Tensor ycc = mix_channels(functors::rgb_to_ycc, padded * 255.0);
  return {narrow(ycc, 1, 0, 1) - 128.0, avg_pool2d(narrow(ycc, 1, 1, 2), {})};
}

// The definition of ops/jpeg.h, composed of functions of the catalogue.
Tensor composed_jpeg(const Tensor& x, std::span<const double> scales) {
  const std::int64_t h = x.size(2), w = x.size(3);
  const auto [luma, chroma] = planes_of(x);
  const Tensor coded =
      concat({code_blocks(luma, functors::luminance_steps, scales) + 128.0,
              upsample_nearest(code_blocks(chroma, functors::chrominance_steps, scales), 2)},
             1);
  const Tensor rgb = clamp(mix_channels(functors::ycc_to_rgb, coded), 0, 255) / 255.0;
  return narrow(narrow(rgb, 2, 0, h), 3, 0, w);
}

// The model of jpeg_bits, fitted to files of photographs (tests/autograd/jpeg_bits_test.cpp).
constexpr double bits_of_octave = 3.15, bits_of_block = 7.23;
// Rounds off |v| near 0: flat blocks have coefficients of rounding errors, whose signs mean nothing.
constexpr double rounding = 0.2;

// The bits of the blocks of x [N,C,H,W], centred at 0, for each image: [N].
Tensor block_bits(const Tensor& x, const double (&table)[64], std::span<const double> scales) {
  // A file's steps are whole numbers from 1 to 255. The weights leave out the mean of a block.
  std::vector<double> steps, weights(64, bits_of_octave / std::numbers::ln2);
  weights[0] = 0;
  for (const double scale : scales)
    for (const double entry : table)
      steps.push_back(std::clamp(std::round(entry * scale), 1.0, 255.0));
  const Tensor step = constant(steps, {x.size(0), 1, 1, 1, 8, 8}, x);
  const Tensor dct = constant(ops::dct_matrix(), {8, 8}, x);
  const Tensor coefficients = matmul(matmul(dct, to_blocks(x)), transpose(dct, 0, 1));
  const Tensor amount = sqrt(square(coefficients / step) + rounding * rounding);  // about |v|
  const Tensor octaves = log(amount + (1 - rounding)) * constant(weights, {8, 8}, x);
  const std::int64_t blocks = x.size(1) * x.size(2) * x.size(3) / 64;
  return sum(octaves, std::array{1, 2, 3, 4, 5}) + bits_of_block * static_cast<double>(blocks);
}

}  // namespace

Tensor diff_jpeg(const Tensor& x, std::span<const double> quality) {
  check(x.rank() == 4, "diff_jpeg: input must be RGB [N,3,H,W], got ", x.shape());
  std::vector<double> scales = ops::jpeg_scales(quality, x.size(0));
  Tensor y = ops::diff_jpeg(x, scales);
  return record(
      "diff_jpeg", {x}, std::move(y),
      [x, scales = std::move(scales)](const Backward& context, const Tensor& dy) -> Tensors {
        if (!grad_enabled()) return {ops::diff_jpeg_gradient(dy, x, scales)};
        return context.replay({composed_jpeg(x, scales)}, {dy});
      });
}

Tensor diff_jpeg(const Tensor& x, double quality) { return diff_jpeg(x, {&quality, 1}); }

Tensor jpeg_bits(const Tensor& x, std::span<const double> quality) {
  check(x.rank() == 4 && x.size(1) == 3, "jpeg_bits: input must be RGB [N,3,H,W], got ", x.shape());
  check(x.dtype() == DType::float32 || x.dtype() == DType::float64,
        "jpeg_bits: needs float32 or float64, got ", x.dtype(), "; cast first");
  const std::vector<double> scales = ops::jpeg_scales(quality, x.size(0));
  const auto [luma, chroma] = planes_of(x);
  return block_bits(luma, functors::luminance_steps, scales) +
         block_bits(chroma, functors::chrominance_steps, scales);
}

Tensor jpeg_bits(const Tensor& x, double quality) { return jpeg_bits(x, {&quality, 1}); }

}  // namespace mini
