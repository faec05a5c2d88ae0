// Pooling and image geometry.
#include <algorithm>
#include <cmath>

#include "autograd/functions.h"
#include "tools/mini_gradcheck/row.h"

namespace mini::suite {
namespace {

constexpr Traits linear{.linear = every_input};

Tensor zeros(const Shape& shape, DType dtype = DType::float32) {
  return Tensor::zeros(shape, dtype);
}

// ── Pooling ──────────────────────────────────────────────────────────────────────────────────────
struct Window {
  Pool2dParams params;
  Shape x, y;

  explicit Window(Sampler& s) : x{s.extent(2), s.extent(2), 0, 0}, y(x) {
    for (int i = 0; i < 2; ++i) {
      const auto axis = static_cast<std::size_t>(i);
      params.stride[axis] = s.extent(3);
      do {
        x[2 + i] = s.extent(5);
        params.kernel[axis] = s.extent(3);
        params.padding[axis] = s.round() == 0 ? 0 : s.between(0, params.kernel[axis] / 2);
        y[2 + i] = x[2 + i] + 2 * params.padding[axis] - params.kernel[axis];
      } while (y[2 + i] < 0);
      y[2 + i] = y[2 + i] / params.stride[axis] + 1;
    }
  }
  // Calls f(index in x) for the window of one output. An index may be in the padding.
  template <class F>
  void for_each_place(const Shape& at, const F& f) const {
    for_each({params.kernel[0], params.kernel[1]}, [&](const Shape& tap) {
      f(Shape{at[0], at[1], at[2] * params.stride[0] + tap[0] - params.padding[0],
              at[3] * params.stride[1] + tap[1] - params.padding[1]});
    });
  }
  std::string text() const {
    return concat_text("k=", params.kernel[0], params.kernel[1], " s=", params.stride[0],
                       params.stride[1], " p=", params.padding[0], params.padding[1]);
  }
};

Case sample_max_pool2d(Sampler& s) {
  const Window window(s);
  return make_case(
      {s.input(window.x, distinct())},
      [=](const Tensors& x) { return max_pool2d(x[0], window.params); },
      [=](const Arrays& x) {
        return generate(window.y, [&](const Shape& at) {
          double largest = -INFINITY;
          window.for_each_place(at, [&](const Shape& i) {
            if (i[2] >= 0 && i[2] < window.x[2] && i[3] >= 0 && i[3] < window.x[3])
              largest = std::max(largest, x[0][i]);
          });
          return largest;
        });
      },
      window.text());
}

Case sample_avg_pool2d(Sampler& s) {
  const Window window(s);
  return make_case(
      {s.input(window.x)}, [=](const Tensors& x) { return avg_pool2d(x[0], window.params); },
      [=](const Arrays& x) {
        const auto count = static_cast<double>(window.params.kernel[0] * window.params.kernel[1]);
        return generate(window.y, [&](const Shape& at) {
          double sum = 0;
          window.for_each_place(at, [&](const Shape& i) { sum += x[0].padded(i); });
          return sum / count;
        });
      },
      window.text());
}

// ── Padding ──────────────────────────────────────────────────────────────────────────────────────
struct Margins {
  PadMode mode;
  Padding2d padding;
  Shape x, y;

  explicit Margins(Sampler& s)
      : mode(s.pick({PadMode::zero, PadMode::reflect, PadMode::replicate})),
        x(s.shape(4, 4, 20)),
        y(x) {
    const auto margin = [&](int dim) {
      if (s.round() == 0) return std::int64_t{0};
      return s.between(0, mode == PadMode::reflect ? std::min<std::int64_t>(x[dim] - 1, 2) : 2);
    };
    padding = {margin(3), margin(3), margin(2), margin(2)};
    y[2] += padding.top + padding.bottom;
    y[3] += padding.left + padding.right;
  }
  // The pixel of x that position `at` copies, for a side of `size` pixels; -1 for none.
  std::int64_t source(std::int64_t at, std::int64_t before, std::int64_t size) const {
    const std::int64_t i = at - before;
    if (mode == PadMode::zero) return i >= 0 && i < size ? i : -1;
    if (mode == PadMode::replicate) return std::clamp<std::int64_t>(i, 0, size - 1);
    return i < 0 ? -i : i >= size ? 2 * (size - 1) - i : i;
  }
  // Calls f(index in y, index in x) for every pixel of y that copies one of x.
  template <class F>
  void for_each_pixel(const F& f) const {
    for_each(y, [&](const Shape& i) {
      const Shape from{i[0], i[1], source(i[2], padding.top, x[2]),
                       source(i[3], padding.left, x[3])};
      if (from[2] >= 0 && from[3] >= 0) f(i, from);
    });
  }
  std::string text() const {
    constexpr const char* names[] = {"zero", "reflect", "replicate"};
    return concat_text(names[static_cast<int>(mode)], ' ', padding.left, padding.right, padding.top,
                       padding.bottom);
  }
};

Case sample_pad2d(Sampler& s) {
  const Margins m(s);
  return make_case(
      {s.input(m.x)}, [=](const Tensors& x) { return pad2d(x[0], m.padding, m.mode); },
      [=](const Arrays& x) {
        Array y(m.y);
        m.for_each_pixel([&](const Shape& to, const Shape& from) { y[to] = x[0][from]; });
        return y;
      },
      m.text());
}

Case sample_pad2d_adjoint(Sampler& s) {
  const Margins m(s);
  return make_case(
      {s.input(m.y)}, [=](const Tensors& x) { return pad2d_adjoint(x[0], m.padding, m.mode); },
      [=](const Arrays& x) {
        Array y(m.x);
        m.for_each_pixel([&](const Shape& to, const Shape& from) { y[from] += x[0][to]; });
        return y;
      },
      m.text());
}

// ── Haar ─────────────────────────────────────────────────────────────────────────────────────────
// The four 2x2 filters, row by row: mean, horizontal, vertical and diagonal difference.
constexpr double haar_filters[4][4] = {
    {1, 1, 1, 1}, {1, -1, 1, -1}, {1, 1, -1, -1}, {1, -1, -1, 1}};

// [N,C,H,W] with H and W even.
Shape even_image(Sampler& s) {
  return {s.extent(3), s.extent(2), 2 * s.extent(2), 2 * s.extent(2)};
}

Case sample_haar(Sampler& s) {
  const Shape image = even_image(s);
  const std::int64_t channels = image[1];
  return make_case(
      {s.input(image)}, [](const Tensors& x) { return haar(x[0]); },
      [=](const Arrays& x) {
        const Shape bands{image[0], 4 * channels, image[2] / 2, image[3] / 2};
        return generate(bands, [&](const Shape& i) {
          double sum = 0;
          for (std::int64_t k = 0; k < 4; ++k)
            sum += haar_filters[i[1] / channels][k] *
                   x[0][{i[0], i[1] % channels, 2 * i[2] + k / 2, 2 * i[3] + k % 2}];
          return sum / 4;
        });
      });
}

Case sample_haar_inverse(Sampler& s) {
  const Shape image = even_image(s);
  const std::int64_t channels = image[1];
  return make_case(
      {s.input({image[0], 4 * channels, image[2] / 2, image[3] / 2})},
      [](const Tensors& x) { return haar_inverse(x[0]); },
      [=](const Arrays& x) {
        return generate(image, [&](const Shape& i) {
          double sum = 0;
          for (std::int64_t band = 0; band < 4; ++band)
            sum += haar_filters[band][2 * (i[2] % 2) + i[3] % 2] *
                   x[0][{i[0], band * channels + i[1], i[2] / 2, i[3] / 2}];
          return sum;
        });
      });
}

// ── Resizing ─────────────────────────────────────────────────────────────────────────────────────
// Keys' cubic kernel with a = -1/2.
double keys(double x) {
  const double t = std::abs(x), a = -0.5;
  if (t >= 2) return 0;
  if (t > 1) return a * t * t * t - 5 * a * t * t + 8 * a * t - 4 * a;
  return (a + 2) * t * t * t - (a + 3) * t * t + 1;
}

// Weight of input pixel `in` for output pixel `out`, summed over its mirror images.
double bicubic_weight(std::int64_t out, std::int64_t in, std::int64_t size, double scale) {
  const double shrink = std::min(scale, 1.0),
               centre = (static_cast<double>(out) + 0.5) / scale - 0.5;
  double total = 0, mine = 0;
  for (std::int64_t j = -12 * size; j < 13 * size; ++j) {
    const double weight = keys((centre - static_cast<double>(j)) * shrink);
    total += weight;
    const std::int64_t tile = j >= 0 ? j / size : -((-j - 1) / size) - 1;
    const std::int64_t within = j - tile * size;
    if ((tile % 2 == 0 ? within : size - 1 - within) == in) mine += weight;
  }
  return mine / total;
}

Case sample_resize_bicubic(Sampler& s) {
  const Shape shape{s.extent(2), s.extent(2), s.extent(5), s.extent(5)};
  const double scale = s.pick({0.25, 0.5, 2.0, 3.0, 1.0, 0.4, 1.5});
  Shape result = shape;
  for (const int d : {2, 3})
    result[d] = static_cast<std::int64_t>(std::ceil(static_cast<double>(shape[d]) * scale));
  return make_case(
      {s.input(shape)}, [=](const Tensors& x) { return resize_bicubic(x[0], scale); },
      [=](const Arrays& x) {
        return generate(result, [&](const Shape& at) {
          double sum = 0;
          for_each({shape[2], shape[3]}, [&](const Shape& i) {
            sum += bicubic_weight(at[2], i[0], shape[2], scale) *
                   bicubic_weight(at[3], i[1], shape[3], scale) * x[0][{at[0], at[1], i[0], i[1]}];
          });
          return sum;
        });
      },
      "scale=", scale);
}

Case sample_upsample_nearest(Sampler& s) {
  const Shape shape{s.extent(2), s.extent(3), s.extent(3), s.extent(3)};
  const std::int64_t factor = s.round() == 0 ? 1 : s.between(1, 3);
  return make_case(
      {s.input(shape)}, [=](const Tensors& x) { return upsample_nearest(x[0], factor); },
      [=](const Arrays& x) {
        return generate({shape[0], shape[1], factor * shape[2], factor * shape[3]},
                        [&](const Shape& i) {
                          return x[0][{i[0], i[1], i[2] / factor, i[3] / factor}];
                        });
      },
      "factor=", factor);
}

// Weight of input pixel `in` for output pixel `out`: a triangle about the place where `out` lies.
double bilinear_weight(std::int64_t out, std::int64_t in, std::int64_t from, std::int64_t to,
                       bool align_corners) {
  const auto at = static_cast<double>(out), size = static_cast<double>(from);
  const double step = align_corners ? (to == 1 ? 0 : (size - 1) / static_cast<double>(to - 1))
                                    : size / static_cast<double>(to);
  const double place = align_corners ? at * step : at * step + step / 2 - 0.5;
  const double inside = std::min(std::max(place, 0.0), size - 1);
  return std::max(0.0, 1 - std::abs(inside - static_cast<double>(in)));
}

Case sample_resize_bilinear(Sampler& s) {
  const Shape shape{s.extent(2), s.extent(2), s.extent(5), s.extent(5)};
  const std::int64_t height = s.extent(7), width = s.extent(7);
  const bool align_corners = s.coin();
  return make_case(
      {s.input(shape)},
      [=](const Tensors& x) { return resize_bilinear(x[0], height, width, align_corners); },
      [=](const Arrays& x) {
        return generate({shape[0], shape[1], height, width}, [&](const Shape& at) {
          double sum = 0;
          for_each({shape[2], shape[3]}, [&](const Shape& i) {
            sum += bilinear_weight(at[2], i[0], shape[2], height, align_corners) *
                   bilinear_weight(at[3], i[1], shape[3], width, align_corners) *
                   x[0][{at[0], at[1], i[0], i[1]}];
          });
          return sum;
        });
      },
      height, 'x', width, align_corners ? " corners" : "");
}

}  // namespace

std::vector<Row> image_rows() {
  return {
      {"max_pool2d",
       sample_max_pool2d,
       {},
       {{[] {
           max_pool2d(zeros({1, 1, 1, 4}), {});
         },
         "max_pool2d: the kernel"},
        {[] {
           max_pool2d(zeros({4, 4}), {});
         },
         "max_pool2d: input must be [N,C,H,W]"}}},
      {"avg_pool2d",
       sample_avg_pool2d,
       linear,
       {{[] {
           avg_pool2d(zeros({1, 1, 4, 4}), {.padding = {2, 0}});
         },
         "avg_pool2d: padding"}}},
      {"pad2d",
       sample_pad2d,
       linear,
       {{[] {
           pad2d(zeros({1, 1, 2, 2}), {2, 0, 0, 0}, PadMode::reflect);
         },
         "pad2d: [1,1,2,2] is too small to reflect"},
        {[] {
           pad2d(zeros({1, 1, 2, 2}), {-1, 0, 0, 0});
         },
         "pad2d: padding must not be negative"},
        {[] {
           pad2d(zeros({2, 2}), {});
         },
         "pad2d: input must be [N,C,H,W]"}}},
      {"pad2d_adjoint",
       sample_pad2d_adjoint,
       linear,
       {{[] {
           pad2d_adjoint(zeros({1, 1, 2, 2}), {2, 1, 0, 0}, PadMode::zero);
         },
         "pad2d_adjoint: [1,1,2,2] is smaller than its padding"}}},
      {"haar",
       sample_haar,
       {.linear = every_input, .smallest = 4},
       {{[] {
           haar(zeros({1, 1, 2, 3}));
         },
         "haar: input must be [N,C,H,W] with even H and W"}}},
      {"haar_inverse",
       sample_haar_inverse,
       {.linear = every_input, .smallest = 4},
       {{[] {
           haar_inverse(zeros({1, 3, 2, 2}));
         },
         "haar_inverse: input must be [N,4C,H,W]"}}},
      {"resize_bicubic",
       sample_resize_bicubic,
       linear,
       {{[] {
           resize_bicubic(zeros({2, 2}), 2);
         },
         "resize_bicubic: input must be [N,C,H,W]"},
        {[] {
           resize_bicubic(zeros({1, 1, 2, 2}), 0);
         },
         "resize_bicubic: scale must be above 0, got 0"}}},
      {"resize_bilinear",
       sample_resize_bilinear,
       linear,
       {{[] {
           resize_bilinear(zeros({2, 2}), 2, 2);
         },
         "resize_bilinear: input must be [N,C,H,W]"},
        {[] {
           resize_bilinear(zeros({1, 1, 2, 2}), 2, 0);
         },
         "resize_bilinear: needs at least one pixel a side"}}},
      {"upsample_nearest",
       sample_upsample_nearest,
       linear,
       {{[] {
           upsample_nearest(zeros({1, 1, 2, 2}), 0);
         },
         "upsample_nearest: needs [N,C,H,W] and a factor above 0"}}},
  };
}

}  // namespace mini::suite
