// What generators and discriminators add: filters, modulated convolutions, normalisations.
#include <algorithm>
#include <cmath>

#include "autograd/functions.h"
#include "tensor/view.h"
#include "tools/mini_gradcheck/row.h"

namespace mini::suite {
namespace {

Tensor zeros(const Shape& shape, DType dtype = DType::float32) {
  return Tensor::zeros(shape, dtype);
}

Shape image_shape(Sampler& s, std::int64_t side = 5) {
  return {s.extent(2), s.extent(3), s.extent(side), s.extent(side)};
}

// 1 to 2, of either sign. What is divided by its own norm must be away from 0: the gradient is a
// difference of terms that grow with 1/norm, and 16-bit types would lose its digits.
double sizeable(Generator& random) {
  const double value = 1 + random.next_uniform();
  return random.next_below(2) == 0 ? value : -value;
}

// ── Filters ──────────────────────────────────────────────────────────────────────────────────────
// The pixel at a place between whose pixels up - 1 zeros lie.
double spread(const Array& x, const Shape& at, std::int64_t up) {
  const auto between = [&](std::int64_t place) { return place < 0 || place % up != 0; };
  return between(at[2]) || between(at[3]) ? 0 : x.padded({at[0], at[1], at[2] / up, at[3] / up});
}

Case sample_upfirdn2d(Sampler& s) {
  const Shape x = image_shape(s), kernel{s.extent(4), s.extent(4)};
  FirParams params{s.between(1, 3), s.between(1, 3), {}};
  const auto margins = [&](int axis, std::int64_t& before, std::int64_t& after) {
    before = s.between(-1, 3);
    const std::int64_t least = kernel[axis] - x[2 + axis] * params.up - before;
    after = std::max(s.between(-1, 3), least);
  };
  margins(0, params.padding.top, params.padding.bottom);
  margins(1, params.padding.left, params.padding.right);
  return make_case(
      {s.input(x), s.constant(kernel)},
      [=](const Tensors& t) { return upfirdn2d(t[0], t[1], params); },
      [=](const Arrays& t) {
        return generate(params.output_shape(x, kernel), [&](const Shape& i) {
          double sum = 0;
          for_each(kernel, [&](const Shape& tap) {
            const Shape at{i[0], i[1], i[2] * params.down + tap[0] - params.padding.top,
                           i[3] * params.down + tap[1] - params.padding.left};
            sum += t[1][{kernel[0] - 1 - tap[0], kernel[1] - 1 - tap[1]}] *
                   spread(t[0], at, params.up);
          });
          return sum;
        });
      },
      "up=", params.up, " down=", params.down, " top=", params.padding.top,
      " left=", params.padding.left);
}

// ── Convolutions and activations ─────────────────────────────────────────────────────────────────
Case sample_fused_leaky_relu(Sampler& s) {
  const Shape x = s.coin() ? image_shape(s, 3) : Shape{s.extent(3), s.extent(4)};
  const double slope = s.pick({0.0, 0.2, 0.5}), scale = s.real(0.5, 2);
  // Their sum stays away from 0, where the gradient jumps.
  return make_case(
      {s.input(x, away_from({0})), s.input({x[1]}, uniform(-0.04, 0.04))},
      [=](const Tensors& t) { return fused_leaky_relu(t[0], t[1], slope, scale); },
      [=](const Arrays& t) {
        return generate(x, [&](const Shape& i) {
          const double v = t[0][i] + t[1][{i[1]}];
          return scale * (v > 0 ? v : slope * v);
        });
      },
      "slope=", slope, " scale=", scale);
}

Case sample_modulated_conv2d(Sampler& s) {
  const Resampling way = s.pick({Resampling::same, Resampling::down, Resampling::up});
  const Shape x = image_shape(s, 4);
  const std::int64_t side =
      s.round() == 0 ? 1 : std::min({x[2], x[3], s.pick<std::int64_t>({1, 3})});
  const Shape weight{s.extent(3), x[1], side, side};
  const bool demodulate = s.coin();
  const std::int64_t margin = way == Resampling::same ? (side - 1) / 2 : 0;
  Shape y{x[0], weight[0], x[2], x[3]};
  for (int d = 2; d < 4; ++d) {
    if (way == Resampling::same) y[d] = x[d] + 2 * margin - side + 1;
    if (way == Resampling::down) y[d] = (x[d] - side) / 2 + 1;
    if (way == Resampling::up) y[d] = 2 * x[d] + side - 2;
  }
  return make_case(
      {s.input(x), s.input(weight, demodulate ? Draw(sizeable) : uniform(-1, 1)),
       s.input({x[0], x[1]}, uniform(0.5, 1.5))},
      [=](const Tensors& t) { return modulated_conv2d(t[0], t[1], t[2], demodulate, way); },
      [=](const Arrays& t) {
        return generate(y, [&](const Shape& i) {
          double sum = 0, squares = 1e-8;
          for_each({x[1], side, side}, [&](const Shape& tap) {
            const double w = t[1][{i[1], tap[0], tap[1], tap[2]}] * t[2][{i[0], tap[0]}];
            squares += w * w;
            Shape at{i[0], tap[0], 0, 0};
            for (int d = 2; d < 4; ++d) {
              at[d] = way == Resampling::same   ? i[d] + tap[d - 1] - margin
                      : way == Resampling::down ? 2 * i[d] + tap[d - 1]
                                                : i[d] - tap[d - 1];
            }
            sum += w * (way == Resampling::up ? spread(t[0], at, 2) : t[0].padded(at));
          });
          return demodulate ? sum / std::sqrt(squares) : sum;
        });
      },
      "way=", static_cast<int>(way), demodulate ? " demodulated" : "");
}

// ── Normalisations ───────────────────────────────────────────────────────────────────────────────
Case sample_adaptive_avg_pool2d(Sampler& s) {
  const Shape x = image_shape(s);
  const std::int64_t height = s.extent(4), width = s.extent(4);
  return make_case(
      {s.input(x)}, [=](const Tensors& t) { return adaptive_avg_pool2d(t[0], height, width); },
      [=](const Arrays& t) {
        const auto begin = [](std::int64_t i, std::int64_t size, std::int64_t result) {
          return i * size / result;
        };
        const auto end = [](std::int64_t i, std::int64_t size, std::int64_t result) {
          return static_cast<std::int64_t>(
              std::ceil(static_cast<double>((i + 1) * size) / static_cast<double>(result)));
        };
        return generate({x[0], x[1], height, width}, [&](const Shape& i) {
          double sum = 0, count = 0;
          for (std::int64_t h = begin(i[2], x[2], height); h < end(i[2], x[2], height); ++h)
            for (std::int64_t w = begin(i[3], x[3], width); w < end(i[3], x[3], width); ++w) {
              sum += t[0][{i[0], i[1], h, w}];
              ++count;
            }
          return sum / count;
        });
      },
      height, 'x', width);
}

Case sample_pixel_norm(Sampler& s) {
  const Shape x = s.shape(2, 4, 12);
  return make_case(
      {s.input(x, sizeable)}, [](const Tensors& t) { return pixel_norm(t[0]); },
      [=](const Arrays& t) {
        return generate(x, [&](Shape i) {
          const double value = t[0][i];
          double squares = 0;
          for (i[1] = 0; i[1] < x[1]; ++i[1]) squares += t[0][i] * t[0][i];
          return value / std::sqrt(squares / static_cast<double>(x[1]) + 1e-8);
        });
      });
}

Case sample_l2_normalise(Sampler& s) {
  const Shape x = s.shape(1, 4, 12);
  const int dim = s.dim(x);
  const double epsilon = s.pick({0.0, 1e-10, 0.5});
  return make_case(
      {s.input(x, sizeable)}, [=](const Tensors& t) { return l2_normalise(t[0], dim, epsilon); },
      [=](const Arrays& t) {
        return generate(x, [&](Shape i) {
          const double value = t[0][i];
          double squares = 0;
          for (i[dim] = 0; i[dim] < x[dim]; ++i[dim]) squares += t[0][i] * t[0][i];
          return value / (std::sqrt(squares) + epsilon);
        });
      },
      "dim=", dim, " epsilon=", epsilon);
}

Case sample_minibatch_stddev(Sampler& s) {
  const std::int64_t samples = s.round() == 0   ? 1
                               : s.round() == 1 ? 3
                                                : s.pick<std::int64_t>({1, 2, 4, 8});
  const Shape x{samples, s.extent(2), s.extent(2), s.extent(2)};
  const std::int64_t size = std::min<std::int64_t>(4, samples), groups = samples / size;
  return make_case(
      {s.input(x)}, [](const Tensors& t) { return minibatch_stddev(t[0]); },
      [=](const Arrays& t) {
        std::vector<double> deviation(static_cast<std::size_t>(groups));
        for_each({groups, x[1], x[2], x[3]}, [&](Shape i) {
          const std::int64_t group = i[0];
          double mean = 0, variance = 0;
          for (i[0] = group; i[0] < samples; i[0] += groups)
            mean += t[0][i] / static_cast<double>(size);
          for (i[0] = group; i[0] < samples; i[0] += groups)
            variance += (t[0][i] - mean) * (t[0][i] - mean) / static_cast<double>(size);
          deviation[static_cast<std::size_t>(group)] +=
              std::sqrt(variance + 1e-8) / static_cast<double>(x[1] * x[2] * x[3]);
        });
        return generate({samples, x[1] + 1, x[2], x[3]}, [&](const Shape& i) {
          return i[1] < x[1] ? t[0][i] : deviation[static_cast<std::size_t>(i[0] % groups)];
        });
      });
}

Case sample_dropout(Sampler& s) {
  const Shape x = s.shape(1, 4, 24);
  const double p = s.pick({0.0, 0.25, 0.5});
  Generator draws{11, 0};
  const std::vector<double> drawn = ops::uniform(draws, x).to_vector();
  return make_case(
      {s.input(x)},
      [=](const Tensors& t) {
        Generator generator{11, 0};
        return dropout(t[0], p, generator);
      },
      [=](const Arrays& t) {
        Array y = t[0];
        for (std::size_t i = 0; i < drawn.size(); ++i)
          y.values[i] = drawn[i] < p ? 0 : y.values[i] / (1 - p);
        return y;
      },
      "p=", p);
}

}  // namespace

std::vector<Row> style_rows() {
  return {
      {"upfirdn2d",
       sample_upfirdn2d,
       {.linear = 1, .broadcasts = true, .exact = true},
       {{[] {
           upfirdn2d(zeros({4, 4}), zeros({2, 2}));
         },
         "upfirdn2d: input must be [N,C,H,W], got [4,4]"},
        {[] {
           upfirdn2d(zeros({1, 1, 4, 4}), zeros({2}));
         },
         "upfirdn2d: the kernel must be [kh,kw], got [2]"},
        {[] {
           upfirdn2d(zeros({1, 1, 4, 4}), zeros({2, 2}), {0, 1, {}});
         },
         "upfirdn2d: up and down must be at least 1, got 0 and 1"},
        {[] {
           upfirdn2d(zeros({1, 1, 4, 2}), zeros({3, 3}));
         },
         "upfirdn2d: the kernel reaches over 3 pixels, the padded input has 2"},
        {[] {
           upfirdn2d(zeros({1, 1, 4, 4}), zeros({2, 2}, DType::float64));
         },
         "upfirdn2d: x is float32 on cpu, the kernel float64 on cpu"}}},
      {"fused_leaky_relu",
       sample_fused_leaky_relu,
       {.broadcasts = true},
       {{[] {
           fused_leaky_relu(zeros({1, 3, 2, 2}), zeros({2}));
         },
         "fused_leaky_relu: bias [2] must have one value for each channel of [1,3,2,2]"},
        {[] {
           fused_leaky_relu(zeros({1, 3}), zeros({3}), -1);
         },
         "fused_leaky_relu: needs slope >= 0 and scale > 0, got -1"},
        {[] {
           fused_leaky_relu(zeros({1, 3}), zeros({3}, DType::float64));
         },
         "fused_leaky_relu: x is float32 on cpu, the bias float64 on cpu"}}},
      {"modulated_conv2d",
       sample_modulated_conv2d,
       {.linear = 1, .broadcasts = true},
       {{[] {
           modulated_conv2d(zeros({1, 3, 4, 4}), zeros({2, 4, 3, 3}), zeros({1, 3}), true);
         },
         "modulated_conv2d: needs x [N,C,H,W] and weight [O,C,k,k]"},
        {[] {
           modulated_conv2d(zeros({2, 3, 4, 4}), zeros({2, 3, 3, 3}), zeros({1, 3}), true);
         },
         "modulated_conv2d: style of shape [1,3] for 2 samples of 3 channels"}}},
      {"adaptive_avg_pool2d",
       sample_adaptive_avg_pool2d,
       {.linear = 1},
       {{[] {
           adaptive_avg_pool2d(zeros({2, 2}), 1, 1);
         },
         "adaptive_avg_pool2d: input must be [N,C,H,W]"},
        {[] {
           adaptive_avg_pool2d(zeros({1, 1, 2, 2}), 0, 1);
         },
         "adaptive_avg_pool2d: needs at least one pixel a side"}}},
      {"pixel_norm", sample_pixel_norm, {}, {}},
      {"l2_normalise", sample_l2_normalise, {}, {}},
      {"minibatch_stddev",
       sample_minibatch_stddev,
       {},
       {{[] {
           minibatch_stddev(zeros({6, 1, 2, 2}));
         },
         "minibatch_stddev: 6 samples do not split into groups of 4"},
        {[] {
           minibatch_stddev(zeros({6, 1}));
         },
         "minibatch_stddev: input must be [N,C,H,W]"}}},
      {"dropout",
       sample_dropout,
       {.linear = 1},
       {{[] {
           Generator generator;
           dropout(zeros({2}), 1, generator);
         },
         "dropout: the probability must be at least 0 and below 1, got 1"}}},
  };
}

}  // namespace mini::suite
