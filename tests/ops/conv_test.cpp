// The convolution trio against a plain loop.
#include "ops/conv.h"

#include <cmath>
#include <gtest/gtest.h>

#include "tensor/parallel.h"
#include "tensor/random.h"
#include "tensor/view.h"
#include "tests/support/support.h"

namespace mini {
namespace {

struct Case {
  Shape x, w;
  Conv2dParams params;
};

// The cases cover every branch of the kernels: panels of one, two and three vectors and several of
// them, narrow outputs, tiles of every height, strips of several rows, dilation in x alone, strides
// that share a factor with the dilation, outputs for several tasks of a weight gradient, groups,
// depthwise.
const std::vector<Case>& cases() {
  static const std::vector<Case> list{
      {{2, 3, 7, 9}, {4, 3, 3, 3}, {.padding = {1, 1}}},
      {{1, 1, 1, 1}, {1, 1, 1, 1}, {}},
      {{1, 5, 6, 5}, {7, 5, 1, 1}, {}},
      {{2, 9, 20, 17}, {32, 9, 3, 3}, {.padding = {1, 1}}},
      {{1, 41, 12, 31}, {33, 41, 3, 3}, {.padding = {1, 1}}},
      {{1, 16, 9, 29}, {48, 16, 3, 3}, {.padding = {1, 1}}},
      {{1, 20, 5, 6}, {70, 20, 3, 3}, {.padding = {1, 1}}},
      {{2, 137, 10, 11}, {3, 137, 3, 3}, {.padding = {1, 1}}},
      {{1, 137, 8, 8}, {9, 137, 3, 3}, {.padding = {1, 1}}},
      {{1, 137, 8, 2}, {12, 137, 3, 3}, {.padding = {1, 1}}},
      {{1, 35, 6, 70}, {1, 35, 3, 3}, {.padding = {1, 1}}},
      {{1, 150, 20, 40}, {5, 150, 3, 3}, {.padding = {1, 1}}},
      {{2, 6, 11, 10}, {8, 6, 3, 2}, {.stride = {2, 3}, .padding = {1, 0}}},
      {{1, 3, 23, 23}, {6, 3, 11, 11}, {.stride = {4, 4}, .padding = {2, 2}}},
      {{1, 4, 12, 13}, {5, 4, 3, 3}, {.padding = {2, 3}, .dilation = {2, 3}}},
      {{1, 4, 12, 13}, {5, 4, 3, 3}, {.padding = {2, 1}, .dilation = {2, 1}}},
      {{2, 6, 8, 9}, {4, 3, 3, 3}, {.padding = {1, 1}, .groups = 2}},
      {{2, 6, 9, 8}, {6, 1, 3, 3}, {.stride = {2, 2}, .padding = {1, 1}, .groups = 6}},
      {{1, 2, 2, 3}, {3, 2, 5, 5}, {.padding = {2, 2}}},
      {{1, 2, 4, 4}, {3, 2, 1, 1}, {.padding = {3, 3}}},
      {{1, 2, 5, 5}, {3, 2, 3, 3}, {.stride = {3, 3}, .padding = {4, 4}, .dilation = {2, 2}}},
      {{1, 2, 9, 9}, {3, 2, 2, 2}, {.stride = {3, 4}}},  // rows and columns that no output uses
      {{1, 3, 200, 300}, {1, 3, 3, 3}, {.padding = {1, 1}}},
      {{1, 3, 9, 10}, {4, 3, 1, 1}, {.stride = {2, 2}}},
      {{1, 4, 11, 12}, {5, 4, 3, 3}, {.stride = {2, 4}, .padding = {2, 1}, .dilation = {2, 2}}},
      {{1, 4, 20, 19}, {5, 4, 4, 5}, {.stride = {6, 4}, .padding = {3, 2}, .dilation = {4, 3}}},
      {{2, 20, 9, 11}, {130, 20, 1, 1}, {}},
  };
  return list;
}

std::string describe(const Case& c) {
  return concat_text("x=", c.x, " w=", c.w, " stride=", c.params.stride[0],
                     " groups=", c.params.groups);
}

// Calls f(y index, x index, w index) for every product in the definition of F.
template <class F>
void each_product(const Case& c, const F& f) {
  const Shape y = c.params.output_shape(c.x, c.w, "test");
  const auto& p = c.params;
  const std::int64_t per_group = c.w[0] / p.groups;
  for (std::int64_t n = 0; n < y[0]; ++n)
    for (std::int64_t o = 0; o < y[1]; ++o)
      for (std::int64_t i = 0; i < y[2]; ++i)
        for (std::int64_t j = 0; j < y[3]; ++j)
          for (std::int64_t k = 0; k < c.w[1]; ++k)
            for (std::int64_t a = 0; a < c.w[2]; ++a)
              for (std::int64_t b = 0; b < c.w[3]; ++b) {
                const std::int64_t row = i * p.stride[0] + a * p.dilation[0] - p.padding[0];
                const std::int64_t column = j * p.stride[1] + b * p.dilation[1] - p.padding[1];
                if (row < 0 || row >= c.x[2] || column < 0 || column >= c.x[3]) continue;
                const std::int64_t channel = o / per_group * c.w[1] + k;
                f(static_cast<std::size_t>(((n * y[1] + o) * y[2] + i) * y[3] + j),
                  static_cast<std::size_t>(((n * c.x[1] + channel) * c.x[2] + row) * c.x[3] +
                                           column),
                  static_cast<std::size_t>(((o * c.w[1] + k) * c.w[2] + a) * c.w[3] + b));
              }
}

std::vector<double> values(const Shape& shape, std::uint64_t seed, bool integers) {
  std::vector<double> result(static_cast<std::size_t>(shape.numel()));
  Generator random{seed};
  for (double& value : result) {
    value = random.next_uniform() * 2 - 1;
    if (integers) value = std::round(3 * value);
  }
  return result;
}

struct Trio {
  Tensor y, dx, dw;
};

Trio run(const Case& c, const Tensor& x, const Tensor& w, const Tensor& bias, const Tensor& dy) {
  return {ops::conv2d(x, w, bias, c.params), ops::conv2d_input_gradient(dy, w, c.x, c.params),
          ops::conv2d_weight_gradient(x, dy, c.w, c.params)};
}

struct Data {
  Tensor x, w, bias, dy;

  Data(const Case& c, DType dtype, bool integers) {
    const auto make = [&](const Shape& shape, std::uint64_t seed) {
      return ops::cast(Tensor::from(values(shape, seed, integers), shape), dtype);
    };
    x = make(c.x, 1);
    w = make(c.w, 2);
    bias = make({c.w[0]}, 3);
    dy = make(c.params.output_shape(c.x, c.w, "test"), 4);
  }
};

Trio reference(const Case& c, const Data& data) {
  const auto x = data.x.to_vector(), w = data.w.to_vector(), dy = data.dy.to_vector(),
             bias = data.bias.to_vector();
  std::vector<double> y(dy.size()), dx(x.size()), dw(w.size());
  const Shape shape = data.dy.shape();
  const auto plane = static_cast<std::size_t>(shape[2] * shape[3]);
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = bias[i / plane % bias.size()];
  each_product(c, [&](std::size_t iy, std::size_t ix, std::size_t iw) {
    y[iy] += x[ix] * w[iw];
    dx[ix] += dy[iy] * w[iw];
    dw[iw] += dy[iy] * x[ix];
  });
  return {Tensor::from(y, shape), Tensor::from(dx, c.x), Tensor::from(dw, c.w)};
}

void expect_equal(const Trio& got, const Trio& wanted, const std::string& what) {
  EXPECT_EQ(got.y.to_vector(), wanted.y.to_vector()) << what;
  EXPECT_EQ(got.dx.to_vector(), wanted.dx.to_vector()) << what;
  EXPECT_EQ(got.dw.to_vector(), wanted.dw.to_vector()) << what;
}

// Sums of small integers are exact in any order, so results must be equal.
TEST(Conv2d, IsExactOnIntegers) {
  for (const Case& c : cases()) {
    const Trio wanted = reference(c, Data(c, DType::float64, true));
    for (const DType dtype : {DType::float32, DType::float64}) {
      const Data data(c, dtype, true);
      expect_equal(run(c, data.x, data.w, data.bias, data.dy), wanted, describe(c));
    }
  }
}

TEST(Conv2d, MatchesTheDirectLoop) {
  for (const Case& c : cases()) {
    const Trio wanted = reference(c, Data(c, DType::float64, false));
    for (const DType dtype : {DType::float32, DType::float64}) {
      const Data data(c, dtype, false);
      const Trio got = run(c, data.x, data.w, data.bias, data.dy);
      const double tolerance = dtype == DType::float32 ? 2e-5 : 1e-13;
      const auto as_double = [](const Tensor& t) { return ops::cast(t, DType::float64); };
      EXPECT_LT(test::relative_error(as_double(got.y), wanted.y), tolerance) << describe(c);
      EXPECT_LT(test::relative_error(as_double(got.dx), wanted.dx), tolerance) << describe(c);
      EXPECT_LT(test::relative_error(as_double(got.dw), wanted.dw), tolerance) << describe(c);
    }
  }
}

// The same values as a channel slice and as a spatial slice of a larger tensor, in both memory
// orders.
Tensor slice_of_larger(const Tensor& x, bool channels_last) {
  Tensor large = Tensor::full({x.size(0), x.size(1) + 5, x.size(2) + 2, x.size(3) + 3},
                              std::nan(""), x.dtype());
  if (channels_last) large = ops::channels_last(large);
  const Tensor inner = ops::narrow(
      ops::narrow(ops::narrow(large, 1, 2, x.size(1)), 2, 1, x.size(2)), 3, 1, x.size(3));
  ops::copy(x, inner);
  return inner;
}

TEST(Conv2d, MemoryOrderDoesNotChangeABit) {
  for (const Case& c : cases()) {
    const Data data(c, DType::float32, false);
    const Trio plain = run(c, data.x, data.w, data.bias, data.dy);
    EXPECT_TRUE(plain.y.is_channels_last());
    const auto compare = [&](const Tensor& x, const Tensor& dy, const char* order) {
      const Trio got = run(c, x, data.w, data.bias, dy);
      EXPECT_TRUE(test::equal_bits(got.y, plain.y)) << describe(c) << order;
      EXPECT_TRUE(test::equal_bits(got.dx, plain.dx)) << describe(c) << order;
      EXPECT_TRUE(test::equal_bits(got.dw, plain.dw)) << describe(c) << order;
    };
    compare(ops::channels_last(data.x), ops::channels_last(data.dy), " channels-last");
    compare(slice_of_larger(data.x, true), slice_of_larger(data.dy, true), " channels-last slice");
    compare(slice_of_larger(data.x, false), slice_of_larger(data.dy, false), " slice");
  }
}

TEST(Conv2d, BitsDoNotDependOnThreads) {
  const int before = max_threads();
  const std::vector<Case> several{
      {{3, 41, 64, 48}, {32, 41, 3, 3}, {.padding = {1, 1}}},
      {{1, 137, 90, 33}, {3, 137, 3, 3}, {.padding = {1, 1}}},
      {{2, 20, 70, 33}, {130, 20, 3, 3}, {.padding = {1, 1}}},
      {{2, 8, 65, 64}, {6, 4, 3, 3}, {.stride = {2, 2}, .padding = {1, 1}, .groups = 2}},
  };
  for (const Case& c : several) {
    for (const DType dtype : {DType::float32, DType::float64}) {
      const Data data(c, dtype, false);
      set_threads(1);
      const Trio one = run(c, data.x, data.w, data.bias, data.dy);
      for (const int threads : {2, 3}) {
        set_threads(threads);
        const Trio got = run(c, data.x, data.w, data.bias, data.dy);
        EXPECT_TRUE(test::equal_bits(got.y, one.y)) << describe(c) << threads;
        EXPECT_TRUE(test::equal_bits(got.dx, one.dx)) << describe(c) << threads;
        EXPECT_TRUE(test::equal_bits(got.dw, one.dw)) << describe(c) << threads;
      }
    }
  }
  set_threads(before);
}

// A value that is not finite must affect only the outputs whose window contains it.
TEST(Conv2d, NotANumberStaysWhereItIsSeen) {
  Tensor x = ops::channels_last(Tensor::ones({1, 37, 6, 9}));
  ops::fill(ops::narrow(ops::narrow(x, 2, 5, 1), 3, 8, 1), std::nan(""));
  for (const std::int64_t outputs : {1, 3, 9, 32}) {
    const Tensor y = ops::conv2d(x, Tensor::ones({outputs, 37, 3, 3}), {}, {.padding = {1, 1}});
    for (std::int64_t i = 0; i < 6; ++i)
      for (std::int64_t j = 0; j < 9; ++j)
        EXPECT_EQ(std::isnan(ops::select(ops::select(ops::select(y, 3, j), 2, i), 1, 0).item()),
                  i >= 4 && j >= 7)
            << outputs << ' ' << i << ' ' << j;
  }
}

TEST(Conv2d, EmptyBatch) {
  const Tensor x = Tensor::empty({0, 3, 8, 8}), w = Tensor::ones({4, 3, 3, 3});
  EXPECT_EQ(ops::conv2d(x, w).shape(), (Shape{0, 4, 6, 6}));
  const Tensor dy = Tensor::empty({0, 4, 6, 6});
  EXPECT_EQ(ops::conv2d_input_gradient(dy, w, x.shape()).shape(), x.shape());
  for (const double value : ops::conv2d_weight_gradient(x, dy, w.shape()).to_vector())
    EXPECT_EQ(value, 0);
}

TEST(Conv2d, SaysWhatIsWrong) {
  const Tensor x = Tensor::ones({1, 5, 9, 9}), w = Tensor::ones({8, 4, 3, 3});
  EXPECT_EQ(test::error_of([&] { ops::conv2d(x, w); }),
            "conv2d: input has 5 channels, weight expects 4 (x=[1,5,9,9], w=[8,4,3,3])");
  const Tensor fits = Tensor::ones({1, 4, 9, 9});
  EXPECT_EQ(test::error_of([&] { ops::conv2d(fits, w, Tensor::ones({7})); }),
            "conv2d: bias of shape [7] for 8 output channels");
  EXPECT_EQ(test::error_of([&] { ops::conv2d(ops::cast(fits, DType::float64), w); }),
            "conv2d: dtypes float64 and float32 differ; cast one");
  EXPECT_EQ(test::error_of(
                [&] { ops::conv2d(ops::cast(fits, DType::int64), ops::cast(w, DType::int64)); }),
            "conv2d: computes in float32 or float64, got int64; cast first");
  EXPECT_EQ(test::error_of([&] {
              ops::conv2d_input_gradient(fits, w, {1, 4, 9, 9});
            }),
            "conv2d_input_gradient: the gradient has shape [1,4,9,9], the output [1,8,7,7]");
  EXPECT_EQ(test::error_of([&] {
              ops::conv2d_weight_gradient(fits, fits, {8, 4, 3, 3});
            }),
            "conv2d_weight_gradient: the gradient has shape [1,4,9,9], the output [1,8,7,7]");
}

}  // namespace
}  // namespace mini
