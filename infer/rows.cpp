#include "infer/rows.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "io/image.h"
#include "tensor/view.h"

namespace mini::infer {
namespace {

std::int64_t rounded_up(std::int64_t size, std::int64_t unit) {
  return (size + unit - 1) / unit * unit;
}

// [R,W,3] of either kind -> [1,3,R,W]
Tensor planes_of(const Tensor& rows) {
  if (rows.dtype() == DType::uint8) return io::to_float(rows);
  return ops::reshape(ops::contiguous(ops::permute(rows, std::array{2, 0, 1})),
                      {1, 3, rows.size(0), rows.size(1)});
}

// [1,3,R,W] -> float32 [R,W,3] in [0,1]; NaN becomes 0.
Tensor limited(const Tensor& x) {
  Tensor pixels = ops::contiguous(
      ops::permute(ops::select(ops::cast(x, DType::float32), 0, 0), std::array{1, 2, 0}));
  auto* const values = pixels.data<float>();
  for (std::int64_t i = 0; i < pixels.numel(); ++i)
    values[i] = values[i] > 0 ? std::min(values[i], 1.0F) : 0.0F;
  return pixels;
}

}  // namespace

std::int64_t mirrored(std::int64_t i, std::int64_t size) {
  const std::int64_t period = std::max<std::int64_t>(2 * (size - 1), 1);
  return std::min(i % period, period - i % period);
}

Tensor rows_of(const Tensor& image, std::int64_t first, std::int64_t count, std::int64_t unit) {
  const std::int64_t height = image.size(0), width = image.size(1);
  const std::int64_t all = rounded_up(width, unit);
  if (first + count <= height && all == width)
    return planes_of(ops::narrow(image, 0, first, count));
  const Tensor source = ops::contiguous(image);
  const Tensor rows = Tensor::empty({count, all, 3}, image.dtype());
  const std::size_t pixel = image.bytes() / static_cast<std::size_t>(height * width);
  const auto* const from = static_cast<const std::byte*>(source.raw_data());
  auto* const to = static_cast<std::byte*>(rows.raw_data());
  for (std::int64_t y = 0; y < count; ++y) {
    const std::byte* const row = from + pixel * std::size_t(mirrored(first + y, height) * width);
    std::byte* const out = to + pixel * std::size_t(y * all);
    std::memcpy(out, row, pixel * std::size_t(width));
    for (std::int64_t x = width; x < all; ++x)
      std::memcpy(out + pixel * std::size_t(x), row + pixel * std::size_t(mirrored(x, width)),
                  pixel);
  }
  return planes_of(rows);
}

ImageBuilder::ImageBuilder(std::int64_t height, std::int64_t width, DType dtype)
    : image_(Tensor::empty({height, width, 3}, dtype)) {}

void ImageBuilder::append(const Tensor& rows) {
  if (!rows.defined()) return;
  const Tensor values = ops::to_device(rows, {});
  const Tensor pixels = image_.dtype() == DType::uint8 ? io::to_image(values) : limited(values);
  ops::copy(pixels, ops::narrow(image_, 0, done_, rows.size(2)));
  done_ += rows.size(2);
}

}  // namespace mini::infer
