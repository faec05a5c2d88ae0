// Products and convolutions. The references are plain sums of products. The convolution trio is
// linear in each input and exact on integers.
#include <cmath>

#include "autograd/functions.h"
#include "tools/mini_gradcheck/row.h"

namespace mini::suite {
namespace {

constexpr Traits products{.linear = every_input, .broadcasts = true, .exact = true};

Tensor zeros(const Shape& shape, DType dtype = DType::float32) {
  return Tensor::zeros(shape, dtype);
}

// ── Products ─────────────────────────────────────────────────────────────────────────────────────
Case sample_matmul(Sampler& s) {
  const Shape batch = s.shape(0, 2, 4);
  const std::int64_t m = s.extent(3), k = s.extent(4), n = s.extent(3);
  const auto matrix = [](Shape leading, std::int64_t rows, std::int64_t columns) {
    leading.push_back(rows);
    leading.push_back(columns);
    return leading;
  };
  const Shape wide = matrix(batch, m, k), narrow = matrix(s.broadcastable(batch), k, n);
  return make_case(
      {s.input(wide), s.input(narrow)}, [](const Tensors& x) { return matmul(x[0], x[1]); },
      [=](const Arrays& x) {
        return generate(matrix(batch, m, n), [&](const Shape& i) {
          double sum = 0;
          for (std::int64_t t = 0; t < k; ++t) {
            Shape left = i, right = i;
            left[i.rank() - 1] = right[i.rank() - 2] = t;
            sum += x[0].broadcast(left) * x[1].broadcast(right);
          }
          return sum;
        });
      });
}

Case sample_linear(Sampler& s) {
  const Shape leading = s.shape(0, 2, 6);
  const std::int64_t in = s.extent(4), out = s.extent(4);
  Shape from = leading, to = leading;
  from.push_back(in);
  to.push_back(out);
  std::vector<Input> inputs{s.input(from), s.input({out, in})};
  const bool biased = s.coin();
  if (biased) inputs.push_back(s.input({out}));
  return make_case(
      inputs, [=](const Tensors& x) { return linear(x[0], x[1], biased ? x[2] : Tensor()); },
      [=](const Arrays& x) {
        return generate(to, [&](const Shape& i) {
          const std::int64_t o = i[i.rank() - 1];
          double sum = biased ? x[2][{o}] : 0;
          Shape at = i;
          for (std::int64_t k = 0; k < in; ++k) {
            at[i.rank() - 1] = k;
            sum += x[0][at] * x[1][{o, k}];
          }
          return sum;
        });
      },
      biased ? "bias" : "");
}

// ── Inverses ─────────────────────────────────────────────────────────────────────────────────────
// The determinant by expansion along the first row, without the given rows and columns.
double determinant(const Array& m, std::vector<std::int64_t> rows,
                   const std::vector<std::int64_t>& columns) {
  if (rows.empty()) return 1;
  const std::int64_t first = rows.front();
  rows.erase(rows.begin());
  double sum = 0;
  for (std::size_t j = 0; j < columns.size(); ++j) {
    std::vector<std::int64_t> rest = columns;
    rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(j));
    sum += (j % 2 == 0 ? 1 : -1) * m[{first, columns[j]}] * determinant(m, rows, rest);
  }
  return sum;
}

// 0, 1, ..., size - 1, without one of them.
std::vector<std::int64_t> all_but(std::int64_t size, std::int64_t left_out = -1) {
  std::vector<std::int64_t> result;
  for (std::int64_t i = 0; i < size; ++i)
    if (i != left_out) result.push_back(i);
  return result;
}

// Matrices [N,K,K], of which the functions get the first. In each row one element outweighs the
// others, not on the diagonal, so that rows must be exchanged.
Input regular_matrices(Sampler& s) {
  const std::int64_t size = s.extent(4);
  const auto draw = [size, place = std::int64_t{0}](Generator& random) mutable {
    const std::int64_t row = place / size % size, column = place++ % size;
    return 2 * random.next_uniform() - 1 + (column == (row + 1) % size ? 4 : 0);
  };
  return s.input({s.extent(2), size, size}, draw);
}

Array first_of(const Array& matrices) {
  return generate({matrices.shape[1], matrices.shape[2]}, [&](const Shape& i) {
    return matrices[{0, i[0], i[1]}];
  });
}

Case sample_inverse(Sampler& s) {
  return make_case(
      {regular_matrices(s)}, [](const Tensors& x) { return inverse(select(x[0], 0, 0)); },
      [](const Arrays& x) {
        const Array m = first_of(x[0]);
        const std::int64_t size = m.shape[0];
        const double whole = determinant(m, all_but(size), all_but(size));
        return generate(m.shape, [&](const Shape& i) {  // Cramer's rule
          return ((i[0] + i[1]) % 2 == 0 ? 1 : -1) *
                 determinant(m, all_but(size, i[1]), all_but(size, i[0])) / whole;
        });
      });
}

Case sample_log_abs_det(Sampler& s) {
  return make_case(
      {regular_matrices(s)}, [](const Tensors& x) { return log_abs_det(select(x[0], 0, 0)); },
      [](const Arrays& x) {
        const Array m = first_of(x[0]);
        const auto all = all_but(m.shape[0]);
        return Array(Shape{}, std::log(std::abs(determinant(m, all, all))));
      });
}

// ── Convolutions ─────────────────────────────────────────────────────────────────────────────────
// The shapes and parameters of a convolution: x [N,C,H,W], w [O,C/groups,kh,kw], y [N,O,H',W'].
struct Geometry {
  Conv2dParams params;
  Shape x, w, y;

  explicit Geometry(Sampler& s) {
    const std::int64_t groups = s.round() == 0 ? 1 : s.between(1, 2);
    params.groups = groups;
    x = {s.extent(2), groups * s.extent(2), 0, 0};
    w = {groups * s.extent(2), x[1] / groups, 0, 0};
    y = {x[0], w[0], 0, 0};
    for (int i = 0; i < 2; ++i) {
      const auto axis = static_cast<std::size_t>(i);
      do {
        x[2 + i] = s.extent(5);
        w[2 + i] = s.extent(3);
        params.stride[axis] = s.extent(3);
        params.dilation[axis] = s.round() == 0 ? 1 : s.between(1, 2);
        params.padding[axis] = s.round() == 0 ? 0 : s.between(0, 2);
        y[2 + i] = x[2 + i] + 2 * params.padding[axis] - params.dilation[axis] * (w[2 + i] - 1) - 1;
      } while (y[2 + i] < 0);
      y[2 + i] = y[2 + i] / params.stride[axis] + 1;
    }
  }

  // Calls f(index in x, index in w, index in y) for every product. An index in x may be in the
  // padding.
  template <class F>
  void for_each_product(const F& f) const {
    const std::int64_t outputs = w[0] / params.groups;
    for_each(y, [&](const Shape& at) {
      for_each({w[1], w[2], w[3]}, [&](const Shape& tap) {
        const std::int64_t channel = at[1] / outputs * w[1] + tap[0];
        const auto place = [&](int i) {
          const auto axis = static_cast<std::size_t>(i);
          return at[2 + i] * params.stride[axis] + tap[1 + i] * params.dilation[axis] -
                 params.padding[axis];
        };
        f(Shape{at[0], channel, place(0), place(1)}, Shape{at[1], tap[0], tap[1], tap[2]}, at);
      });
    });
  }
  bool inside(const Shape& place) const {
    return place[2] >= 0 && place[2] < x[2] && place[3] >= 0 && place[3] < x[3];
  }
  // The output padding with which conv_transpose2d returns from y to the size of x.
  std::array<std::int64_t, 2> output_padding() const {
    std::array<std::int64_t, 2> result{};
    for (std::size_t i = 0; i < 2; ++i) {
      const int axis = 2 + static_cast<int>(i);
      result[i] = x[axis] + 2 * params.padding[i] - params.dilation[i] * (w[axis] - 1) - 1 -
                  (y[axis] - 1) * params.stride[i];
    }
    return result;
  }
  std::string text() const {
    const auto& p = params;
    return concat_text("s=", p.stride[0], p.stride[1], " p=", p.padding[0], p.padding[1],
                       " d=", p.dilation[0], p.dilation[1], " g=", p.groups);
  }
};

// Adds bias [C] to an image [N,C,H,W].
void add_bias(Array& y, const Array& bias) {
  for_each(y.shape, [&](const Shape& i) { y[i] += bias[{i[1]}]; });
}

Case sample_conv2d(Sampler& s) {
  const Geometry g(s);
  std::vector<Input> inputs{s.input(g.x), s.input(g.w)};
  const bool biased = s.coin();
  if (biased) inputs.push_back(s.input({g.w[0]}));
  return make_case(
      inputs,
      [=](const Tensors& x) { return conv2d(x[0], x[1], biased ? x[2] : Tensor(), g.params); },
      [=](const Arrays& x) {
        Array y(g.y);
        g.for_each_product([&](const Shape& in, const Shape& tap, const Shape& out) {
          y[out] += x[0].padded(in) * x[1][tap];
        });
        if (biased) add_bias(y, x[2]);
        return y;
      },
      g.text());
}

Case sample_conv_transpose2d(Sampler& s) {
  const Geometry g(s);
  std::vector<Input> inputs{s.input(g.y), s.input(g.w)};
  const bool biased = s.coin();
  if (biased) inputs.push_back(s.input({g.x[1]}));
  return make_case(
      inputs,
      [=](const Tensors& x) {
        return conv_transpose2d(x[0], x[1], biased ? x[2] : Tensor(), g.params, g.output_padding());
      },
      [=](const Arrays& x) {
        Array y(g.x);
        g.for_each_product([&](const Shape& in, const Shape& tap, const Shape& out) {
          if (g.inside(in)) y[in] += x[0][out] * x[1][tap];
        });
        if (biased) add_bias(y, x[2]);
        return y;
      },
      g.text(), " to ", g.x);
}

Case sample_conv2d_weight_gradient(Sampler& s) {
  const Geometry g(s);
  return make_case(
      {s.input(g.x), s.input(g.y)},
      [=](const Tensors& x) { return conv2d_weight_gradient(x[0], x[1], g.w, g.params); },
      [=](const Arrays& x) {
        Array dw(g.w);
        g.for_each_product([&](const Shape& in, const Shape& tap, const Shape& out) {
          dw[tap] += x[0].padded(in) * x[1][out];
        });
        return dw;
      },
      g.text());
}

// The dense block: one convolution after the other, on a growing number of channels.
Case sample_dense_block(Sampler& s) {
  const std::int64_t n = s.extent(2), h = s.extent(3), w = s.extent(3);
  const double slope = s.pick({0.0, 0.2});
  const int count = static_cast<int>(s.round() == 0 ? 1 : s.between(2, 3));
  std::vector<std::int64_t> channels{s.extent(2)};
  std::vector<Input> inputs{s.input({n, channels[0], h, w})}, biases;
  std::int64_t seen = channels[0];
  for (int k = 0; k < count; ++k) {
    channels.push_back(s.extent(2));
    inputs.push_back(s.input({channels.back(), seen, 3, 3}));
    biases.push_back(s.input({channels.back()}));
    seen += channels.back();
  }
  inputs.insert(inputs.end(), biases.begin(), biases.end());
  const auto middle = static_cast<std::ptrdiff_t>(count) + 1;
  return make_case(
      inputs,
      [=](const Tensors& x) {
        return dense_block(x[0], {x.begin() + 1, x.begin() + middle}, {x.begin() + middle, x.end()},
                           slope);
      },
      [=](const Arrays& x) {
        Array features = x[0];
        for (std::size_t k = 1; k < channels.size(); ++k) {
          const Array &weight = x[k], &bias = x[k + channels.size() - 1];
          const Array y = generate({n, channels[k], h, w}, [&](const Shape& i) {
            double sum = bias[{i[1]}];
            for_each({features.shape[1], 3, 3}, [&](const Shape& t) {
              sum += features.padded({i[0], t[0], i[2] + t[1] - 1, i[3] + t[2] - 1}) *
                     weight[{i[1], t[0], t[1], t[2]}];
            });
            return sum;
          });
          if (k + 1 == channels.size()) return y;
          const std::int64_t before = features.shape[1];
          features = generate({n, before + channels[k], h, w}, [&](const Shape& i) {
            if (i[1] < before) return features[i];
            const double value = y[{i[0], i[1] - before, i[2], i[3]}];
            return value > 0 ? value : slope * value;
          });
        }
        return features;
      },
      "slope=", slope);
}

}  // namespace

std::vector<Row> convolution_rows() {
  return {
      {"matmul",
       sample_matmul,
       products,
       {{[] {
           matmul(zeros({2, 3}), zeros({2, 3}));
         },
         "matmul: a has 3 columns, but b has 2 rows"},
        {[] {
           matmul(zeros({3}), zeros({3, 2}));
         },
         "matmul: operands need at least two dim"},
        {[] {
           matmul(zeros({1, 1}), zeros({1, 1}, DType::float64));
         },
         "matmul: dtypes float32"}}},
      {"linear",
       sample_linear,
       products,
       {{[] {
           linear(zeros({2, 3}), zeros({4, 2}));
         },
         "linear: needs x [..,in] and weight"},
        {[] {
           linear(zeros({2, 3}), zeros({4, 3}), zeros({3}));
         },
         "linear: bias of shape [3] for 4 outputs"}}},
      {"inverse",
       sample_inverse,
       {},
       {{[] {
           inverse(zeros({2, 3}));
         },
         "inverse: needs a square matrix [K,K], got [2,3]"}}},
      {"log_abs_det",
       sample_log_abs_det,
       {},
       {{[] { log_abs_det(zeros({4})); }, "inverse: needs a square matrix [K,K], got [4]"}}},
      {"conv2d",
       sample_conv2d,
       products,
       {{[] {
           conv2d(zeros({1, 5, 9, 9}), zeros({8, 4, 3, 3}));
         },
         "conv2d: input has 5 channels, weight expects 4 (x=[1,5,9,9], w=[8,4,3,3])"},
        {[] {
           conv2d(zeros({1, 4, 2, 9}), zeros({8, 4, 3, 3}));
         },
         "conv2d: the kernel reaches over 3 pixels, the padded input has 2"},
        {[] {
           conv2d(zeros({1, 4, 9, 9}), zeros({3, 2, 3, 3}), {}, {.groups = 2});
         },
         "conv2d: 3 output channels do not split into 2 groups"},
        {[] {
           conv2d(zeros({1, 4, 9, 9}), zeros({8, 4, 3, 3}), zeros({4}));
         },
         "conv2d: bias of shape [4] for 8 output channels"},
        {[] {
           conv2d(zeros({1, 4, 9, 9}), zeros({8, 4, 3, 3}, DType::float64));
         },
         "conv2d: dtypes float32 and float64 differ"}}},
      {"conv_transpose2d",
       sample_conv_transpose2d,
       products,
       {{[] {
           conv_transpose2d(zeros({1, 5, 9, 9}), zeros({4, 8, 3, 3}));
         },
         "conv_transpose2d: needs x [N,O,H,W] and w [O,C/groups,kh,kw]"},
        {[] {
           conv_transpose2d(zeros({1, 4, 9, 9}), zeros({4, 8, 3, 3}), {}, {}, {1, 0});
         },
         "conv_transpose2d: output padding 1 must be at least 0 and less than the stride 1"},
        {[] {
           conv_transpose2d(zeros({1, 4, 9, 9}), zeros({4, 8, 3, 3}), zeros({4}));
         },
         "conv_transpose2d: bias of shape [4] for 8 output channels"}}},
      {"conv2d_weight_gradient",
       sample_conv2d_weight_gradient,
       products,
       {{[] {
           conv2d_weight_gradient(zeros({1, 4, 9, 9}), zeros({1, 8, 9, 9}), {8, 4, 3, 3});
         },
         "conv2d_weight_gradient: the gradient has shape [1,8,9,9], the output [1,8,7,7]"}}},
      {"dense_block",
       sample_dense_block,
       {.broadcasts = true},
       {{[] {
           dense_block(zeros({1, 3, 4, 4}), {zeros({2, 4, 3, 3})}, {zeros({2})});
         },
         "dense_block: weight 1 has shape [2,4,3,3], expected [O,3,3,3]"},
        {[] {
           dense_block(zeros({1, 3, 4, 4}), {zeros({2, 3, 3, 3})}, {});
         },
         "dense_block: 1 weights but 0 biases"},
        {[] {
           dense_block(zeros({3, 4, 4}), {zeros({2, 3, 3, 3})}, {zeros({2})});
         },
         "dense_block: x must be [N,C,H,W], got [3,4,4]"}}},
  };
}

}  // namespace mini::suite
