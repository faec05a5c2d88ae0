// Elements of planes by their indices, and the content-adaptive resampler.
#include <algorithm>
#include <cmath>

#include "autograd/functions.h"
#include "tools/mini_gradcheck/row.h"

namespace mini::suite {
namespace {

Tensor zeros(const Shape& shape, DType dtype = DType::float32) {
  return Tensor::zeros(shape, dtype);
}

// ── Indices ──────────────────────────────────────────────────────────────────────────────────────
struct Planes {
  Shape large, small;

  explicit Planes(Sampler& s) : large{s.extent(2), s.extent(2), s.extent(4), s.extent(4)} {
    small = {large[0], large[1], s.extent(3), s.extent(3)};
  }
  // The element of the large plane that element i of the small one stands for.
  Shape place(const Arrays& x, const Shape& i) const {
    const auto index = static_cast<std::int64_t>(x[1][i]);
    return {i[0], i[1], index / large[3], index % large[3]};
  }
};

Case sample_gather_planes(Sampler& s) {
  const Planes planes(s);
  return make_case(
      {s.input(planes.large), s.labels(planes.small, planes.large[2] * planes.large[3])},
      [](const Tensors& x) { return gather_planes(x[0], x[1]); },
      [=](const Arrays& x) {
        return generate(planes.small, [&](const Shape& i) { return x[0][planes.place(x, i)]; });
      });
}

Case sample_scatter_planes(Sampler& s) {
  const Planes planes(s);
  return make_case(
      {s.input(planes.small), s.labels(planes.small, planes.large[2] * planes.large[3])},
      [=](const Tensors& x) { return scatter_planes(x[0], x[1], planes.large); },
      [=](const Arrays& x) {
        Array y(planes.large);
        for_each(planes.small, [&](const Shape& i) { y[planes.place(x, i)] += x[0][i]; });
        return y;
      });
}

// ── The resampler ────────────────────────────────────────────────────────────────────────────────
// The image at a position that may lie outside: between the two nearest clamped pixels, with the
// fraction of the position itself.
double interpolated(const Array& image, std::int64_t n, std::int64_t c, double y, double x) {
  const auto pixel = [](double position, std::int64_t size) {
    return static_cast<std::int64_t>(
        std::clamp(std::floor(position), 0.0, static_cast<double>(size - 1)));
  };
  const std::int64_t height = image.shape[2], width = image.shape[3];
  const std::int64_t row = pixel(y, height), column = pixel(x, width);
  const std::int64_t next_row = std::min(row + 1, height - 1);
  const std::int64_t next_column = std::min(column + 1, width - 1);
  const double down = y - std::floor(y), right = x - std::floor(x);
  return (1 - down) * (1 - right) * image[{n, c, row, column}] +
         (1 - down) * right * image[{n, c, row, next_column}] +
         down * (1 - right) * image[{n, c, next_row, column}] +
         down * right * image[{n, c, next_row, next_column}];
}

Case sample_adaptive_resample(Sampler& s) {
  const std::int64_t scale = s.round() == 0 ? 1 : s.between(1, 3);
  const std::int64_t side = s.round() == 0 ? 1 : s.between(1, 3);
  const Shape taps{s.extent(2), side * side, s.extent(2), s.extent(2)};
  const Shape image{taps[0], s.extent(2), s.extent(5), s.extent(5)};
  // The gradient jumps where a position crosses a pixel.
  std::vector<double> kinks;
  for (std::int64_t pixel = -2 * scale; pixel <= 2 * scale; ++pixel)
    kinks.push_back((static_cast<double>(pixel) - (scale % 2 == 0 ? 0.5 : 0.0)) /
                    static_cast<double>(scale));
  const Draw offset = away_from(kinks, -1.5, 1.5);
  return make_case(
      {s.input(image), s.input(taps), s.input(taps, offset), s.input(taps, offset)},
      [=](const Tensors& x) { return adaptive_resample(x[0], x[1], x[2], x[3], scale); },
      [=](const Arrays& x) {
        return generate({taps[0], image[1], taps[2], taps[3]}, [&](const Shape& i) {
          double sum = 0;
          for (std::int64_t t = 0; t < taps[1]; ++t) {
            const Shape at{i[0], t, i[2], i[3]};
            const auto place = [&](std::int64_t position, std::int64_t tap, double offset_) {
              return (static_cast<double>(position) + 0.5 + offset_) * static_cast<double>(scale) -
                     0.5 + static_cast<double>(tap);
            };
            sum += x[1][at] * interpolated(x[0], i[0], i[1], place(i[2], t / side, x[3][at]),
                                           place(i[3], t % side, x[2][at]));
          }
          return sum;
        });
      },
      "scale=", scale, " k=", side);
}

}  // namespace

std::vector<Row> resample_rows() {
  return {
      {"gather_planes",
       sample_gather_planes,
       {.linear = 1, .broadcasts = true},
       {{[] {
           gather_planes(zeros({1, 1, 2, 2}), zeros({1, 1, 2, 2}));
         },
         "gather_planes: indices are int64, got float32"},
        {[] {
           gather_planes(zeros({1, 2, 2, 2}), zeros({1, 1, 2, 2}, DType::int64));
         },
         "gather_planes: planes [1,2,2,2], values [1,1,2,2]"}}},
      {"scatter_planes",
       sample_scatter_planes,
       {.linear = 1},
       {{[] {
           scatter_planes(zeros({1, 1, 2, 2}), zeros({1, 1, 2, 1}, DType::int64), {1, 1, 2, 2});
         },
         "scatter_planes: planes [1,1,2,2], values [1,1,2,2]"}}},
      {"adaptive_resample",
       sample_adaptive_resample,
       {.linear = 0b11, .broadcasts = true},
       {{[] {
           const Tensor taps = zeros({1, 3, 2, 2});
           adaptive_resample(zeros({1, 3, 8, 8}), taps, taps, taps, 2);
         },
         "adaptive_resample: 3 taps are no square of a whole number"},
        {[] {
           const Tensor taps = zeros({1, 4, 2, 2});
           adaptive_resample(zeros({1, 3, 8, 8}), taps, taps, zeros({1, 4, 2, 1}), 2);
         },
         "adaptive_resample: kernels [1,4,2,2] and offsets [1,4,2,2] and [1,4,2,1] differ"},
        {[] {
           const Tensor taps = zeros({2, 4, 2, 2});
           adaptive_resample(zeros({1, 3, 8, 8}), taps, taps, taps, 2);
         },
         "adaptive_resample: needs an image [N,C,H,W] and kernels [N,k²,h,w]"},
        {[] {
           const Tensor taps = zeros({1, 4, 2, 2});
           adaptive_resample(zeros({1, 3, 8, 8}), taps, taps, taps, 0);
         },
         "adaptive_resample: scale must be above 0, got 0"}}},
  };
}

}  // namespace mini::suite
