#include "infer/any_picture.h"

#include <algorithm>
#include <array>
#include <vector>

#include "io/modes.h"
#include "tensor/view.h"

namespace mini::infer {
namespace {

using models::Rescaling;

Tensor scaled(const Scaler& scaler, const Tensor& rgb, Rescaling way, int quality) {
  return way == Rescaling::upscale ? scaler.upscale(rgb, quality) : scaler.downscale(rgb);
}

// Sums of the visible colours in squares of pixels, and how many there are.
struct Squares {
  std::int64_t height, width;
  std::vector<std::array<float, 4>> sums;

  Squares(std::int64_t height_, std::int64_t width_)
      : height(height_), width(width_), sums(static_cast<std::size_t>(height * width)) {}
  std::array<float, 4>& at(std::int64_t y, std::int64_t x) {
    return sums[static_cast<std::size_t>(y * width + x)];
  }
  bool has_gaps() const {
    return std::any_of(sums.begin(), sums.end(), [](const auto& sum) { return sum[3] == 0; });
  }
};

// Squares of twice the side.
Squares coarser(Squares& fine) {
  Squares coarse((fine.height + 1) / 2, (fine.width + 1) / 2);
  for (std::int64_t y = 0; y < fine.height; ++y)
    for (std::int64_t x = 0; x < fine.width; ++x)
      for (std::size_t c = 0; c < 4; ++c) coarse.at(y / 2, x / 2)[c] += fine.at(y, x)[c];
  return coarse;
}

// Gives the squares in which nothing is visible the colour of the larger square around them.
void fill_gaps(Squares& squares) {
  if (squares.height * squares.width == 1 || !squares.has_gaps()) return;
  Squares coarse = coarser(squares);
  fill_gaps(coarse);
  for (std::int64_t y = 0; y < squares.height; ++y)
    for (std::int64_t x = 0; x < squares.width; ++x)
      if (squares.at(y, x)[3] == 0) squares.at(y, x) = coarse.at(y / 2, x / 2);
}

// Calls f with a value of the type of the picture's samples.
template <class F>
void visit_samples(const Tensor& picture, const F& f) {
  if (picture.dtype() == DType::uint8)
    f(std::uint8_t{});
  else
    f(float{});
}

// The colours of RGBA, with those that no alpha shows replaced by what is seen near them.
Tensor visible_colours(const Tensor& rgba) {
  const Tensor colours = io::first_channels(rgba, 3);
  const std::int64_t height = rgba.size(0), width = rgba.size(1);
  visit_samples(rgba, [&](auto sample) {
    using T = decltype(sample);
    Squares squares((height + 1) / 2, (width + 1) / 2);  // of 2x2 pixels
    const T* in = rgba.data<T>();
    for (std::int64_t y = 0; y < height; ++y)
      for (std::int64_t x = 0; x < width; ++x, in += 4)
        if (in[3] > 0) {
          auto& sum = squares.at(y / 2, x / 2);
          for (std::size_t c = 0; c < 3; ++c) sum[c] += static_cast<float>(in[c]);
          ++sum[3];
        }
    fill_gaps(squares);
    in = rgba.data<T>();
    T* out = colours.data<T>();
    for (std::int64_t y = 0; y < height; ++y)
      for (std::int64_t x = 0; x < width; ++x, in += 4, out += 3) {
        const auto& sum = squares.at(y / 2, x / 2);
        if (in[3] == 0)
          for (std::size_t c = 0; c < 3; ++c) out[c] = T(sum[3] > 0 ? sum[c] / sum[3] : 0);
      }
  });
  return colours;
}

// Alpha three times, as a Scaler takes it.
Tensor alpha_of(const Tensor& rgba) {
  const Tensor alpha = ops::narrow(rgba, 2, 3, 1);
  return ops::contiguous(ops::expand(alpha, {rgba.size(0), rgba.size(1), 3}));
}

// Where alpha is 0 there is no colour.
Tensor joined(const Tensor& colours, const Tensor& alpha) {
  Tensor rgba = Tensor::empty({colours.size(0), colours.size(1), 4}, colours.dtype());
  visit_samples(rgba, [&](auto sample) {
    using T = decltype(sample);
    T* out = rgba.data<T>();
    for (std::int64_t i = 0; i < colours.numel(); i += 3, out += 4) {
      out[3] = alpha.data<T>()[i];
      for (std::int64_t c = 0; c < 3; ++c) out[c] = out[3] > 0 ? colours.data<T>()[i + c] : T{0};
    }
  });
  return rgba;
}

}  // namespace

Tensor scale_picture(const Scaler& scaler, const Tensor& picture, Rescaling way, int quality) {
  io::check_picture(picture, way == Rescaling::upscale ? "upscale" : "downscale");
  const Tensor rgb = ops::contiguous(io::to_rgb(picture));
  Tensor result;
  if (io::has_alpha(rgb))
    result = joined(scaled(scaler, visible_colours(rgb), way, quality),
                    scaled(*bicubic_scaler(scaler.scale()), alpha_of(rgb), way, quality));
  else
    result = scaled(scaler, rgb, way, quality);
  return io::is_gray(picture) ? io::to_gray(result) : result;
}

}  // namespace mini::infer
