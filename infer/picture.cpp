#include "infer/picture.h"

#include <algorithm>
#include <cstdlib>

#include "io/image.h"
#include "tensor/view.h"

namespace mini::infer {
namespace {

constexpr double white = 255;

}  // namespace

Tensor enlarge(const Tensor& image, std::int64_t factor) {
  io::check_image(image, "enlarge");
  check(factor >= 1, "enlarge: factor must be at least 1, got ", factor);
  const std::int64_t height = image.size(0), width = image.size(1);
  const Tensor spread = ops::expand(ops::reshape(image, {height, 1, width, 1, 3}),
                                    {height, factor, width, factor, 3});
  return ops::reshape(ops::contiguous(spread), {height * factor, width * factor, 3});
}

Tensor crop_middle(const Tensor& image, std::int64_t side, std::int64_t multiple) {
  io::check_image(image, "crop_middle");
  Tensor result = image;
  for (const int dim : {0, 1}) {
    const std::int64_t length = std::min(side, image.size(dim)) / multiple * multiple;
    result = ops::narrow(result, dim, (image.size(dim) - length) / 2, length);
  }
  return ops::contiguous(result);
}

Tensor side_by_side(std::span<const Tensor> images, std::int64_t gap) {
  check(!images.empty(), "side_by_side: needs at least one image");
  std::int64_t height = 0, width = -gap;
  for (const Tensor& image : images) {
    io::check_image(image, "side_by_side");
    height = std::max(height, image.size(0));
    width += image.size(1) + gap;
  }
  const Tensor result = Tensor::full({height, width, 3}, white, DType::uint8);
  std::int64_t left = 0;
  for (const Tensor& image : images) {
    ops::copy(image, ops::narrow(ops::narrow(result, 0, 0, image.size(0)), 1, left, image.size(1)));
    left += image.size(1) + gap;
  }
  return result;
}

Tensor difference_map(const Tensor& a, const Tensor& b, int gain) {
  io::check_image(a, "difference_map");
  io::check_image(b, "difference_map");
  check(a.shape() == b.shape(), "difference_map: images of different size, ", a.shape(), " and ",
        b.shape());
  const Tensor left = ops::contiguous(a), right = ops::contiguous(b);
  Tensor map = Tensor::empty(a.shape(), DType::uint8);
  const std::uint8_t *x = left.data<std::uint8_t>(), *y = right.data<std::uint8_t>();
  std::uint8_t* const out = map.data<std::uint8_t>();
  for (std::int64_t i = 0; i < map.numel(); i += 3) {
    int sum = 0;
    for (std::int64_t c = i; c < i + 3; ++c) sum += std::abs(x[c] - y[c]);
    std::fill_n(out + i, 3, static_cast<std::uint8_t>(std::min(255, sum * gain / 3)));
  }
  return map;
}

}  // namespace mini::infer
