// Functions that SAIN needs: coupling, mixture, JPEG simulator, losses.
#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "autograd/functions.h"
#include "tensor/view.h"
#include "tools/mini_gradcheck/row.h"

namespace mini::suite {
namespace {

Tensor zeros(const Shape& shape, DType dtype = DType::float32) {
  return Tensor::zeros(shape, dtype);
}

// ── Coupling ─────────────────────────────────────────────────────────────────────────────────────
using Coupling = Tensor (*)(const Tensor&, const Tensor&, const Tensor&);

template <class Formula>  // of x, exp(s) and g
Row coupling_row(const std::string& name, Coupling call, Formula formula) {
  const auto sample = [=](Sampler& s) {
    const Shape shape = s.shape(1, 4, 12);
    return make_case(
        {s.input(shape), s.input(shape, uniform(-3, 3)), s.input(shape)},
        [=](const Tensors& x) { return call(x[0], x[1], x[2]); },
        [=](const Arrays& x) {
          return generate(shape, [&](const Shape& i) {
            const double scale = 2 / (1 + std::exp(-x[1][i])) - 1;
            return formula(x[0][i], std::exp(scale), x[2][i]);
          });
        });
  };
  return {name,
          sample,
          {.linear = 0b101},
          {{[=] { call(zeros({2}), zeros({3}), zeros({2})); },
            name + ": shapes [2], [3] and [2] differ"},
           {[=] { call(zeros({2}), zeros({2}, DType::float64), zeros({2})); },
            name + ": dtypes float32, float64 and float32 differ"}}};
}

// ── Mixture ──────────────────────────────────────────────────────────────────────────────────────
// The relaxed choice softmax(log softmax(logits) - log exponential), for one element of the noise.
std::vector<double> relaxed_choice(const Array& parameters, const Array& exponential, Shape at) {
  std::vector<double> choice;
  double total = 0;
  for (std::int64_t k = 0; k < parameters.shape[1]; ++k) {
    at[at.rank() - 1] = k;
    choice.push_back(std::exp(parameters[{0, k}]) / exponential[at]);
    total += choice.back();
  }
  for (double& value : choice) value /= total;
  return choice;
}

Case sample_mixture_case(Sampler& s) {
  const std::int64_t components = s.extent(4);
  const Shape shape = s.shape(0, 3, 6);
  Shape noise = shape;
  noise.push_back(components);
  const Input parameters = s.input({3, components}, uniform(-1, 1)),
              exponential = s.constant(noise, uniform(0.05, 3)),
              normal = s.constant(noise, uniform(-2, 2));
  Case c = make_case(
      {parameters, exponential, normal},
      [](const Tensors& x) { return sample_mixture(x[0], x[1], x[2]); },
      [=](const Arrays& x) {
        return generate(shape, [&](Shape at) {
          at.push_back(0);
          const auto choice = relaxed_choice(x[0], x[1], at);
          const std::int64_t k = std::max_element(choice.begin(), choice.end()) - choice.begin();
          at[at.rank() - 1] = k;
          return x[0][{1, k}] + std::exp(x[0][{2, k}] / 2) * x[2][at];
        });
      });
  // Straight-through: the choice keeps its value, but changes like the relaxed choice. So the
  // gradient is that of Σ (hard + relaxed - relaxed at x)·(mean + deviation·normal).
  Array offset(noise);
  for_each(shape, [&](Shape at) {
    at.push_back(0);
    const auto choice = relaxed_choice(parameters.array, exponential.array, at);
    const auto chosen = std::max_element(choice.begin(), choice.end()) - choice.begin();
    for (std::int64_t k = 0; k < components; ++k) {
      at[at.rank() - 1] = k;
      offset[at] = (k == chosen ? 1.0 : 0.0) - choice[static_cast<std::size_t>(k)];
    }
  });
  c.derivative_of = [offset = Tensor::from(offset.values, noise)](const Tensors& x) {
    const Tensor relaxed = softmax(select(x[0], 0, 0) - log(x[1]), -1);
    const Tensor values = select(x[0], 0, 1) + exp(select(x[0], 0, 2) * 0.5) * x[2];
    const Tensor there = ops::to_device(offset, x[0].device());
    return Tensors{sum((relaxed + there) * values, std::vector<int>{-1})};
  };
  return c;
}

// ── JPEG ─────────────────────────────────────────────────────────────────────────────────────────
// The tables in Annex K of the JPEG standard.
constexpr int luminance_table[64] = {16,  11,  10,  16,  24, 40, 51,  61,  12,  12,  14,  19,  26,
                                     58,  60,  55,  14,  13, 16, 24,  40,  57,  69,  56,  14,  17,
                                     22,  29,  51,  87,  80, 62, 18,  22,  37,  56,  68,  109, 103,
                                     77,  24,  35,  55,  64, 81, 104, 113, 92,  49,  64,  78,  87,
                                     103, 121, 120, 101, 72, 92, 95,  98,  112, 100, 103, 99};
constexpr int chrominance_corner[4][4] = {
    {17, 18, 24, 47}, {18, 21, 26, 66}, {24, 26, 56, 99}, {47, 66, 99, 99}};

double quantisation_step(bool chroma, std::int64_t u, std::int64_t v, double quality) {
  const double factor = (quality < 50 ? 5000 / quality : 200 - 2 * quality) / 100;
  if (!chroma) return luminance_table[8 * u + v] * factor;
  return (u < 4 && v < 4 ? chrominance_corner[u][v] : 99) * factor;
}

// An entry of the orthonormal DCT-II of 8 samples.
double dct(std::int64_t frequency, std::int64_t place) {
  const double angle = std::numbers::pi / 8 * (static_cast<double>(place) + 0.5);
  return (frequency == 0 ? std::sqrt(0.125) : 0.5) *
         std::cos(angle * static_cast<double>(frequency));
}

double soft_round(double v) {
  double result = v;
  for (int n = 1; n <= 9; ++n)
    result -=
        (n % 2 == 1 ? 1 : -1) * std::sin(2 * std::numbers::pi * n * v) / (n * std::numbers::pi);
  return result;
}

// The coefficients of one block of a plane [H,W].
Array coefficients_of(const Array& plane, const Shape& block) {
  Array coefficients({8, 8});
  for_each({8, 8}, [&](const Shape& f) {
    for_each({8, 8}, [&](const Shape& p) {
      coefficients[f] += dct(f[0], p[0]) * dct(f[1], p[1]) *
                         (plane[{8 * block[0] + p[0], 8 * block[1] + p[1]}] - 128);
    });
  });
  return coefficients;
}

// Codes and decodes one plane [H,W], block by block.
void code_plane(Array& plane, bool chroma, double quality) {
  for_each({plane.shape[0] / 8, plane.shape[1] / 8}, [&](const Shape& block) {
    const auto pixel = [&](std::int64_t i, std::int64_t j) -> double& {
      return plane[{8 * block[0] + i, 8 * block[1] + j}];
    };
    Array coefficients = coefficients_of(plane, block);
    for_each({8, 8}, [&](const Shape& f) {
      const double step = quantisation_step(chroma, f[0], f[1], quality);
      coefficients[f] = step * soft_round(coefficients[f] / step);
    });
    for_each({8, 8}, [&](const Shape& p) {
      double sum = 128;
      for_each({8, 8},
               [&](const Shape& f) { sum += dct(f[0], p[0]) * dct(f[1], p[1]) * coefficients[f]; });
      pixel(p[0], p[1]) = sum;
    });
  });
}

double quality_of(const std::vector<double>& quality, std::int64_t n) {
  return quality[quality.size() == 1 ? 0 : static_cast<std::size_t>(n)];
}

// Y, Cb and Cr of image n, padded to multiples of 16 by repeating the last row and column.
std::array<Array, 3> jpeg_planes(const Array& x, std::int64_t n) {
  const std::int64_t h = (x.shape[2] + 15) / 16 * 16, w = (x.shape[3] + 15) / 16 * 16;
  Array y({h, w}), cb({h / 2, w / 2}), cr = cb;
  for_each({h, w}, [&](const Shape& i) {
    const auto colour = [&](std::int64_t c) {
      return 255 * x[{n, c, std::min(i[0], x.shape[2] - 1), std::min(i[1], x.shape[3] - 1)}];
    };
    const double r = colour(0), g = colour(1), b = colour(2);
    y[i] = 0.299 * r + 0.587 * g + 0.114 * b;
    const Shape half{i[0] / 2, i[1] / 2};
    cb[half] += (-0.168736 * r - 0.331264 * g + 0.5 * b + 128) / 4;
    cr[half] += (0.5 * r - 0.418688 * g - 0.081312 * b + 128) / 4;
  });
  return {y, cb, cr};
}

Array jpeg_reference(const Array& x, const std::vector<double>& quality) {
  Array result(x.shape);
  for (std::int64_t n = 0; n < x.shape[0]; ++n) {
    const double q = quality_of(quality, n);
    std::array<Array, 3> planes = jpeg_planes(x, n);
    Array &y = planes[0], &cb = planes[1], &cr = planes[2];
    code_plane(y, false, q);
    code_plane(cb, true, q);
    code_plane(cr, true, q);
    for_each({x.shape[2], x.shape[3]}, [&](const Shape& i) {
      const Shape half{i[0] / 2, i[1] / 2};
      const double u = cb[half] - 128, v = cr[half] - 128;
      const double rgb[3] = {y[i] + 1.402 * v, y[i] - 0.344136 * u - 0.714136 * v,
                             y[i] + 1.772 * u};
      for (std::int64_t c = 0; c < 3; ++c)
        result[{n, c, i[0], i[1]}] = std::clamp(rgb[c], 0.0, 255.0) / 255;
    });
  }
  return result;
}

// The slope of soft rounding contains cosines of 2π·n·v, with n up to 9 and v a coefficient in
// steps. It amplifies an error of v by up to 565 (twice the sum of all 2πn). So the rows use
// moderate qualities. At higher ones, differences of 1e-6 would not be small, and rounding v to
// float32 (1e-6) would change a gradient by almost 1e-3.
Row jpeg_row(bool one_quality) {
  const auto sample = [=](Sampler& s) {
    const Shape shape{s.extent(2), 3, s.extent(3), s.round() == 2 ? 17 : s.extent(3)};
    std::vector<double> quality;
    for (std::int64_t n = 0; n < (one_quality ? 1 : shape[0]); ++n)
      quality.push_back(static_cast<double>(s.between(5, 60)));
    std::string text;
    for (const double q : quality) text += concat_text(" q", q);
    return make_case(
        {s.input(shape, uniform(0.35, 0.65))},  // away from the bounds of the final clamp
        [=](const Tensors& x) {
          return one_quality ? diff_jpeg(x[0], quality[0]) : diff_jpeg(x[0], quality);
        },
        [=](const Arrays& x) { return jpeg_reference(x[0], quality); }, text);
  };
  return {"diff_jpeg",
          sample,
          {.smallest = 3, .gradient32 = 1e-3},
          {{[] {
              diff_jpeg(zeros({1, 1, 16, 16}), 75);
            },
            "diff_jpeg: input must be RGB [N,3,H,W]"},
           {[] {
              diff_jpeg(zeros({1, 3, 16, 16}), 0);
            },
            "diff_jpeg: quality"},
           {[] {
              diff_jpeg(zeros({1, 3, 16, 16}), std::vector<double>{50, 60});
            },
            "diff_jpeg: "}}};
}

Array jpeg_bits_reference(const Array& x, const std::vector<double>& quality) {
  Array bits({x.shape[0]});
  for (std::int64_t n = 0; n < x.shape[0]; ++n) {
    const auto planes = jpeg_planes(x, n);
    for (std::size_t plane = 0; plane < 3; ++plane)
      for_each({planes[plane].shape[0] / 8, planes[plane].shape[1] / 8}, [&](const Shape& block) {
        const Array coefficients = coefficients_of(planes[plane], block);
        bits[{n}] += 7.23;
        for_each({8, 8}, [&](const Shape& f) {
          const double step = std::clamp(
              std::round(quantisation_step(plane > 0, f[0], f[1], quality_of(quality, n))), 1.0,
              255.0);
          if (f[0] + f[1] > 0)
            bits[{n}] += 3.15 * std::log2(0.8 + std::hypot(coefficients[f] / step, 0.2));
        });
      });
  }
  return bits;
}

// In float32 the DCT of values up to 128 has rounding errors of about 6e-5 (128·√64 halves of a last
// place). Divided by a step of 1 or more and by the width 0.2 of the rounding at 0, that is what the
// slope of a coefficient near 0 may be off by.
Row jpeg_bits_row(bool one_quality) {
  const auto sample = [=](Sampler& s) {
    const Shape shape{s.extent(2), 3, s.extent(2), s.round() == 2 ? 17 : s.extent(3)};
    std::vector<double> quality;
    for (std::int64_t n = 0; n < (one_quality ? 1 : shape[0]); ++n)
      quality.push_back(static_cast<double>(s.between(5, 95)));
    std::string text;
    for (const double q : quality) text += concat_text(" q", q);
    return make_case(
        {s.input(shape, uniform(0, 1))},
        [=](const Tensors& x) {
          return one_quality ? jpeg_bits(x[0], quality[0]) : jpeg_bits(x[0], quality);
        },
        [=](const Arrays& x) { return jpeg_bits_reference(x[0], quality); }, text);
  };
  return {"jpeg_bits",
          sample,
          {.smallest = 3, .gradient32 = 3e-4},
          {{[] {
              jpeg_bits(zeros({1, 1, 16, 16}), 75);
            },
            "jpeg_bits: input must be RGB [N,3,H,W]"},
           {[] {
              jpeg_bits(zeros({1, 3, 16, 16}), 101);
            },
            "diff_jpeg: quality"}}};
}

// ── Losses ───────────────────────────────────────────────────────────────────────────────────────
// A loss of two tensors of equal shape: the sum of term(a, b), divided by the batch size or by the
// number of elements.
template <class Call, class Term>
Row loss_row(const std::string& name, Call call, Term term, bool by_batch) {
  const auto sample = [=](Sampler& s) {
    const Shape shape = s.shape(1, 4, 16);
    return make_case(
        {s.input(shape), s.input(shape)}, [=](const Tensors& x) { return call(x[0], x[1]); },
        [=](const Arrays& x) {
          Array y{Shape{}};
          for_each(shape, [&](const Shape& i) { y.values[0] += term(x[0][i], x[1][i]); });
          y.values[0] /= static_cast<double>(by_batch ? shape[0] : shape.numel());
          return y;
        });
  };
  return {name,
          sample,
          {},
          {{[=] {
              call(zeros({2}), zeros({2, 1}));
            },
            name + ": shapes [2] and [2,1] differ"}}};
}

Case sample_l1(Sampler& s) {
  const Shape shape = s.shape(1, 4, 16);
  const double epsilon = s.pick({1e-2, 0.1, 0.5});
  return make_case(
      {s.input(shape), s.input(shape)},
      [=](const Tensors& x) { return l1_loss(x[0], x[1], epsilon); },
      [=](const Arrays& x) {
        Array y{Shape{}};
        for_each(shape, [&](const Shape& i) {
          y.values[0] += std::sqrt(std::pow(x[0][i] - x[1][i], 2) + epsilon);
        });
        y.values[0] /= static_cast<double>(shape[0]);
        return y;
      },
      "epsilon=", epsilon);
}

Case sample_cross_entropy(Sampler& s) {
  const Shape places = s.shape(1, 3, 8);  // [N,..]
  const std::int64_t classes = s.extent(4);
  Shape logits{places[0], classes};
  for (int d = 1; d < places.rank(); ++d) logits.push_back(places[d]);
  return make_case(
      {s.input(logits, uniform(-2, 2)), s.labels(places, classes)},
      [](const Tensors& x) { return cross_entropy(x[0], x[1]); },
      [=](const Arrays& x) {
        Array y{Shape{}};
        for_each(places, [&](const Shape& i) {
          Shape at{i[0], 0};
          for (int d = 1; d < i.rank(); ++d) at.push_back(i[d]);
          double total = 0;
          for (at[1] = 0; at[1] < classes; ++at[1]) total += std::exp(x[0][at]);
          at[1] = static_cast<std::int64_t>(x[1][i]);
          y.values[0] += std::log(total) - x[0][at];
        });
        y.values[0] /= static_cast<double>(places.numel());
        return y;
      });
}

}  // namespace

std::vector<Row> model_rows() {
  return {
      coupling_row("coupling", coupling,
                   [](double x, double scale, double g) { return x * scale + g; }),
      coupling_row("coupling_inverse", coupling_inverse,
                   [](double y, double scale, double g) { return (y - g) / scale; }),
      {"sample_mixture",
       sample_mixture_case,
       {.broadcasts = true, .smallest = 3},
       {{[] {
           sample_mixture(zeros({2, 5}), zeros({4, 5}), zeros({4, 5}));
         },
         "sample_mixture: parameters must be [3,K], got [2,5]"},
        {[] {
           sample_mixture(zeros({3, 5}), zeros({4, 4}), zeros({4, 5}));
         },
         "sample_mixture: noise must be two tensors [..,5]"}}},
      jpeg_row(true),
      jpeg_row(false),
      jpeg_bits_row(true),
      jpeg_bits_row(false),
  };
}

std::vector<Row> loss_rows() {
  const auto squared = [](double a, double b) { return (a - b) * (a - b); };
  return {
      {"l1_loss",
       sample_l1,
       {},
       {{[] { l1_loss(zeros({2}), zeros({1})); }, "l1_loss: shapes [2] and [1] differ"},
        {[] { l1_loss(zeros({}), zeros({})); }, "l1_loss: needs a batch, got []"}}},
      loss_row("l2_loss", l2_loss, squared, true),
      loss_row("mse_loss", mse_loss, squared, false),
      {"cross_entropy",
       sample_cross_entropy,
       {.broadcasts = true},
       {{[] {
           cross_entropy(zeros({2, 3}), zeros({3}, DType::int64));
         },
         "cross_entropy: labels have shape [3], expected [2]"},
        {[] { cross_entropy(zeros({2}), zeros({2}, DType::int64)); },
         "cross_entropy: logits must be [N,C,..]"},
        {[] {
           cross_entropy(zeros({1, 3}), Tensor::full({1}, 3, DType::int64));
         },
         "one_hot: label 3 is not in 0..2"}}},
      loss_row(
          "bce_with_logits", bce_with_logits,
          [](double x, double t) {
            const double p = 1 / (1 + std::exp(-x));
            return -t * std::log(p) - (1 - t) * std::log(1 - p);
          },
          false),
  };
}

}  // namespace mini::suite
