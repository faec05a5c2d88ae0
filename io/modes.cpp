#include "io/modes.h"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "tensor/error.h"
#include "tensor/view.h"

namespace mini::io {
namespace {

// Calls f with a value of the type of the picture's samples.
template <class F>
void visit_samples(const Tensor& picture, const F& f) {
  if (picture.dtype() == DType::uint8)
    f(std::uint8_t{});
  else
    f(float{});
}

template <class T>
constexpr double full = std::is_same_v<T, std::uint8_t> ? 255 : 1;

template <class T>
T rounded(double value) {
  return static_cast<T>(std::is_same_v<T, std::uint8_t> ? std::nearbyint(value) : value);
}

// A picture of other channels, whose every pixel f(from, to) makes.
template <class F>
Tensor mapped(const Tensor& picture, std::int64_t channels, const F& f) {
  const Tensor in = ops::contiguous(picture);
  Tensor out = Tensor::empty({in.size(0), in.size(1), channels}, in.dtype());
  visit_samples(in, [&](auto sample) {
    using T = decltype(sample);
    const T* from = in.data<T>();
    T* to = out.data<T>();
    for (std::int64_t i = 0; i < in.numel(); i += in.size(2), from += in.size(2), to += channels)
      f(from, to);
  });
  return out;
}

}  // namespace

void check_picture(const Tensor& picture, const char* op) {
  check((picture.dtype() == DType::uint8 || picture.dtype() == DType::float32) &&
            picture.rank() == 3 && picture.size(2) >= 1 && picture.size(2) <= 4,
        op, ": a picture is uint8 or float32 [H,W,1 to 4], got ", picture.dtype(), picture.shape());
  check(picture.numel() > 0, op, ": the picture has no pixels, shape ", picture.shape());
}

bool is_opaque(const Tensor& picture) {
  if (!has_alpha(picture)) return true;
  const Tensor pixels = ops::contiguous(picture);
  bool opaque = true;
  visit_samples(pixels, [&](auto sample) {
    using T = decltype(sample);
    const std::int64_t channels = pixels.size(2);
    for (std::int64_t i = channels - 1; opaque && i < pixels.numel(); i += channels)
      opaque = pixels.data<T>()[i] == T(full<T>);
  });
  return opaque;
}

Tensor first_channels(const Tensor& picture, std::int64_t channels) {
  return ops::contiguous(ops::narrow(picture, 2, 0, channels));
}

Tensor to_rgb(const Tensor& picture) {
  if (!is_gray(picture)) return picture;
  const bool alpha = has_alpha(picture);
  return mapped(picture, alpha ? 4 : 3, [alpha](const auto* from, auto* to) {
    std::fill_n(to, 3, from[0]);
    if (alpha) to[3] = from[1];
  });
}

Tensor to_gray(const Tensor& picture) {
  if (is_gray(picture)) return picture;
  const bool alpha = has_alpha(picture);
  return mapped(picture, alpha ? 2 : 1, [alpha](const auto* from, auto* to) {
    using T = std::remove_reference_t<decltype(*to)>;
    to[0] = rounded<T>((double(from[0]) + double(from[1]) + double(from[2])) / 3);
    if (alpha) to[1] = from[3];
  });
}

Tensor on_white(const Tensor& picture) {
  if (!has_alpha(picture)) return picture;
  const std::int64_t colours = picture.size(2) - 1;
  return mapped(picture, colours, [colours](const auto* from, auto* to) {
    using T = std::remove_reference_t<decltype(*to)>;
    const double alpha = from[colours] / full<T>;
    for (std::int64_t c = 0; c < colours; ++c)
      to[c] = rounded<T>(full<T> + (from[c] - full<T>)*alpha);
  });
}

Tensor to_8_bits(const Tensor& picture) {
  if (picture.dtype() == DType::uint8) return picture;
  const Tensor in = ops::contiguous(picture);
  Tensor out = Tensor::empty(in.shape(), DType::uint8);
  for (std::int64_t i = 0; i < in.numel(); ++i) {
    const float value = in.data<float>()[i];
    out.data<std::uint8_t>()[i] =
        static_cast<std::uint8_t>(std::nearbyint(255 * (value > 0 ? std::min(value, 1.0F) : 0)));
  }
  return out;
}

Tensor to_32_bits(const Tensor& picture) {
  if (picture.dtype() == DType::float32) return picture;
  const Tensor in = ops::contiguous(picture);
  Tensor out = Tensor::empty(in.shape(), DType::float32);
  for (std::int64_t i = 0; i < in.numel(); ++i)
    out.data<float>()[i] = static_cast<float>(in.data<std::uint8_t>()[i]) / 255.0F;
  return out;
}

}  // namespace mini::io
