// The fused dense block against plain loops in double.
#include "ops/dense_block.h"

#include <cmath>
#include <gtest/gtest.h>

#include "tensor/parallel.h"
#include "tensor/view.h"
#include "tests/support/support.h"

namespace mini {
namespace {

// [C,H,W] in double, with zeros outside.
struct Image {
  std::int64_t channels, height, width;
  std::vector<double> values;
  Image(std::int64_t c, std::int64_t h, std::int64_t w)
      : channels(c), height(h), width(w), values(static_cast<std::size_t>(c * h * w)) {}
  double& at(std::int64_t c, std::int64_t y, std::int64_t x) {
    return values[static_cast<std::size_t>((c * height + y) * width + x)];
  }
  bool inside(std::int64_t y, std::int64_t x) const {
    return y >= 0 && y < height && x >= 0 && x < width;
  }
};

// Calls body(output channel, input channel, tap, output pixel, input pixel) for every product of a
// 3x3 convolution with padding 1.
template <class Body>
void for_products(std::int64_t outputs, std::int64_t inputs, const Image& image, const Body& body) {
  for (std::int64_t o = 0; o < outputs; ++o)
    for (std::int64_t i = 0; i < inputs; ++i)
      for (std::int64_t tap = 0; tap < 9; ++tap)
        for (std::int64_t y = 0; y < image.height; ++y)
          for (std::int64_t x = 0; x < image.width; ++x)
            if (image.inside(y + tap / 3 - 1, x + tap % 3 - 1))
              body(o, i, tap, y, x, y + tap / 3 - 1, x + tap % 3 - 1);
}

struct Block {
  std::int64_t images, channels, height, width;
  std::vector<std::int64_t> outputs;
  double slope;
  Tensor x, dy;
  Tensors weights, biases;
};

struct Result {
  Tensor y;
  ops::DenseBlockGradient gradient;
};

template <class Value>
Block make_block(std::int64_t n, std::int64_t c, std::int64_t h, std::int64_t w,
                 std::vector<std::int64_t> outputs, double slope, Value&& value) {
  const auto filled = [&](const Shape& shape, double scale) {
    Tensor t = Tensor::empty(shape);
    for (std::int64_t i = 0; i < t.numel(); ++i)
      t.data<float>()[i] = static_cast<float>(scale * value());
    return t;
  };
  Block b{n, c, h, w, std::move(outputs), slope, filled({n, c, h, w}, 1), {}, {}, {}};
  for (const std::int64_t o : b.outputs) {
    b.weights.push_back(filled({o, c, 3, 3}, 1));
    b.biases.push_back(filled({o}, 1));
    c += o;
  }
  b.dy = filled({n, b.outputs.back(), h, w}, 1);
  return b;
}

Result reference(const Block& block) {
  const auto value = [](const Tensor& t, std::int64_t i) -> double { return t.data<float>()[i]; };
  const std::size_t count = block.outputs.size();
  Result result;
  Tensors& dw = result.gradient.dw;
  Tensors& db = result.gradient.db;
  for (std::size_t k = 0; k < count; ++k) {
    dw.push_back(Tensor::zeros(block.weights[k].shape(), DType::float64));
    db.push_back(Tensor::zeros(block.biases[k].shape(), DType::float64));
  }
  result.y = Tensor::zeros(block.dy.shape(), DType::float64);
  result.gradient.dx = Tensor::zeros(block.x.shape(), DType::float64);
  std::int64_t all = block.channels;
  for (const std::int64_t o : block.outputs) all += o;
  const std::int64_t plane = block.height * block.width;
  for (std::int64_t n = 0; n < block.images; ++n) {
    Image f(all, block.height, block.width), g = f;  // features and their gradients
    for (std::int64_t i = 0; i < block.channels * plane; ++i)
      f.values[static_cast<std::size_t>(i)] = value(block.x, n * block.channels * plane + i);
    std::int64_t seen = block.channels;
    for (std::size_t k = 0; k < count; seen += block.outputs[k++]) {
      const std::int64_t c = seen;
      for (std::int64_t o = 0; o < block.outputs[k]; ++o)
        for (std::int64_t i = 0; i < plane; ++i) f.at(c + o, 0, i) = value(block.biases[k], o);
      for_products(
          block.outputs[k], c, f, [&](auto o, auto i, auto tap, auto y, auto x, auto iy, auto ix) {
            f.at(c + o, y, x) += f.at(i, iy, ix) * value(block.weights[k], (o * c + i) * 9 + tap);
          });
      if (k + 1 < count)
        for (std::int64_t i = c * plane; i < (c + block.outputs[k]) * plane; ++i)
          if (double& v = f.values[static_cast<std::size_t>(i)]; v < 0) v *= block.slope;
    }
    const std::int64_t out = block.outputs.back() * plane;
    for (std::int64_t i = 0; i < out; ++i) {
      result.y.data<double>()[n * out + i] =
          f.values[static_cast<std::size_t>((all * plane) - out + i)];
      g.values[static_cast<std::size_t>(all * plane - out + i)] = value(block.dy, n * out + i);
    }
    for (std::size_t k = count; k-- > 0;) {
      seen -= block.outputs[k];
      const std::int64_t c = seen;
      for (std::int64_t o = 0; o < block.outputs[k]; ++o)
        for (std::int64_t i = 0; i < plane; ++i) {
          if (k + 1 < count && !(f.at(c + o, 0, i) > 0)) g.at(c + o, 0, i) *= block.slope;
          db[k].data<double>()[o] += g.at(c + o, 0, i);
        }
      for_products(block.outputs[k], c, f,
                   [&](auto o, auto i, auto tap, auto y, auto x, auto iy, auto ix) {
                     const std::int64_t at = (o * c + i) * 9 + tap;
                     g.at(i, iy, ix) += g.at(c + o, y, x) * value(block.weights[k], at);
                     dw[k].data<double>()[at] += g.at(c + o, y, x) * f.at(i, iy, ix);
                   });
    }
    for (std::int64_t i = 0; i < block.channels * plane; ++i)
      result.gradient.dx.data<double>()[n * block.channels * plane + i] =
          g.values[static_cast<std::size_t>(i)];
  }
  return result;
}

Result fused(const Block& block) {
  Result result;
  Tensor features;
  result.y = ops::dense_block(block.x, block.weights, block.biases, block.slope, &features);
  result.gradient = ops::dense_block_gradient(features, block.weights, block.dy, block.slope);
  return result;
}

void expect_near(const Result& a, const Result& b, double tolerance) {
  const auto error = [](const Tensor& x, const Tensor& y) {
    return test::relative_error(ops::cast(x, DType::float64), ops::cast(y, DType::float64));
  };
  EXPECT_LE(error(a.y, b.y), tolerance);
  EXPECT_LE(error(a.gradient.dx, b.gradient.dx), tolerance);
  for (std::size_t k = 0; k < b.gradient.dw.size(); ++k) {
    EXPECT_LE(error(a.gradient.dw[k], b.gradient.dw[k]), tolerance) << "dw of convolution " << k;
    EXPECT_LE(error(a.gradient.db[k], b.gradient.db[k]), tolerance) << "db of convolution " << k;
  }
}

// Reproducible values in [-0.5, 0.5).
struct Random {
  std::uint32_t state = 12345;
  double operator()() {
    state = state * 1664525u + 1013904223u;
    return static_cast<double>(state >> 8) / (1 << 24) - 0.5;
  }
};

TEST(DenseBlock, MatchesPlainLoops) {
  Random random;
  // Widths below, equal to and above the size of a tile; odd numbers of channels; one to five
  // convolutions.
  const Block blocks[] = {
      make_block(2, 9, 6, 8, {32, 32, 32, 32, 3}, 0.2, random),
      make_block(1, 3, 5, 19, {32, 32, 32, 32, 9}, 0.2, random),
      make_block(2, 5, 7, 11, {8, 8, 8, 8, 4}, 0.2, random),
      make_block(1, 18, 3, 12, {17, 49, 45}, 0.1, random),
      make_block(3, 1, 1, 1, {4, 4, 1}, 0.0, random),
      make_block(1, 2, 9, 3, {5, 7, 12}, 1.5, random),
      make_block(1, 45, 4, 130, {16, 3}, 0.2, random),
      make_block(2, 4, 130, 2, {7}, 0.2, random),
  };
  for (const Block& block : blocks) {
    SCOPED_TRACE(concat_text(block.x.shape(), " with ", block.outputs.size(), " convolutions"));
    expect_near(fused(block), reference(block), 2e-5);
  }
}

TEST(DenseBlock, IsExactOnIntegers) {
  Random random;
  const auto integer = [&] { return std::round(3 * random()); };
  const Block block = make_block(2, 9, 9, 17, {32, 32, 3}, 0.5, integer);
  expect_near(fused(block), reference(block), 0);
}

TEST(DenseBlock, SameBitsAtAnyThreadCountAndStride) {
  Random random;
  Block block = make_block(3, 9, 13, 21, {32, 32, 32, 32, 3}, 0.2, random);
  const int before = max_threads();
  const Result expected = fused(block);
  const Tensor wider = Tensor::zeros({3, 12, 13, 21});
  ops::copy(block.x, ops::narrow(wider, 1, 3, 9));
  block.x = ops::narrow(wider, 1, 3, 9);
  block.dy = ops::channels_last(block.dy);
  for (const int threads : {1, 2, 3}) {
    set_threads(threads);
    const Result result = fused(block);
    const Tensor without = ops::dense_block(block.x, block.weights, block.biases, block.slope);
    EXPECT_TRUE(test::equal_bits(result.y, expected.y)) << threads << " threads";
    EXPECT_TRUE(test::equal_bits(without, expected.y)) << threads << " threads";
    EXPECT_TRUE(test::equal_bits(result.gradient.dx, expected.gradient.dx));
    for (std::size_t k = 0; k < 5; ++k) {
      EXPECT_TRUE(test::equal_bits(result.gradient.dw[k], expected.gradient.dw[k]));
      EXPECT_TRUE(test::equal_bits(result.gradient.db[k], expected.gradient.db[k]));
    }
  }
  set_threads(before);
}

TEST(DenseBlock, RowsDividedAmongThreadsMakeNoDifference) {
  Random random;
  const int before = max_threads();
  for (const std::int64_t height : {1, 2, 5, 31}) {
    const Block block = make_block(1, 4, height, 9, {32, 8, 16, 9}, 0.2, random);
    Tensor features;
    const Tensor expected =
        ops::dense_block(block.x, block.weights, block.biases, block.slope, &features);
    for (const int threads : {1, 2, 3, 7}) {
      set_threads(threads);
      const Tensor y = ops::dense_block(block.x, block.weights, block.biases, block.slope);
      EXPECT_TRUE(test::equal_bits(y, expected)) << height << " rows, " << threads << " threads";
    }
  }
  set_threads(before);
}

TEST(DenseBlock, WithoutGradientItNeedsOnlyAFewRows) {
  Random random;
  const Block block = make_block(1, 3, 256, 64, {32, 32, 32, 32, 3}, 0.2, random);
  Allocator& memory = allocator({});
  const int before = max_threads();
  set_threads(1);
  memory.reset_peak();
  const std::size_t live = memory.stats().live;
  ops::dense_block(block.x, block.weights, block.biases, block.slope);
  set_threads(before);
  const std::size_t all_features = 128 * 256 * 64 * sizeof(float);
  EXPECT_LT(memory.stats().peak - live, all_features / 4);
}

TEST(DenseBlock, AsksTheSystemForNothingInTheSteadyState) {
  Random random;
  const Block block = make_block(2, 9, 16, 16, {32, 32, 32, 32, 3}, 0.2, random);
  fused(block);
  const MemoryStats first = allocator({}).stats();
  for (int i = 0; i < 3; ++i) fused(block);
  const MemoryStats later = allocator({}).stats();
  if (!test::address_sanitizer) {
    EXPECT_EQ(later.system_allocations, first.system_allocations);
  }
  EXPECT_EQ(later.live, first.live);
}

TEST(DenseBlock, ComputesOnlyWhatIsWanted) {
  Random random;
  const Block block = make_block(1, 3, 4, 4, {4, 3}, 0.2, random);
  Tensor features;
  ops::dense_block(block.x, block.weights, block.biases, block.slope, &features);
  const auto gradient = [&](ops::DenseBlockWanted wanted) {
    return ops::dense_block_gradient(features, block.weights, block.dy, block.slope, wanted);
  };
  const auto both = gradient({}), dx = gradient({.parameters = false}),
             dw = gradient({.dx = false});
  EXPECT_TRUE(dx.dw.empty() && dx.db.empty() && !dw.dx.defined());
  EXPECT_TRUE(test::equal_bits(dx.dx, both.dx));
  EXPECT_TRUE(test::equal_bits(dw.dw[0], both.dw[0]));
}

TEST(DenseBlock, SaysWhatDoesNotFit) {
  Random random;
  Block block = make_block(1, 3, 4, 4, {4, 3}, 0.2, random);
  Tensors short_weight = block.weights;
  short_weight[1] = Tensor::zeros({3, 6, 3, 3});
  EXPECT_EQ(test::error_of([&] { ops::dense_block(block.x, short_weight, block.biases, 0.2); }),
            "dense_block: weight 2 has shape [3,6,3,3], expected [O,7,3,3]: every convolution sees "
            "the input and all earlier features");
  EXPECT_NE(test::error_of([&] {
              ops::dense_block(block.x, block.weights, {}, 0.2);
            }).find("2 weights but 0 biases"),
            std::string::npos);
  EXPECT_NE(test::error_of([&] {
              ops::dense_block(block.x, block.weights, block.biases, -0.1);
            }).find("slope -0.1 is negative"),
            std::string::npos);
  EXPECT_NE(test::error_of([&] {
              ops::dense_block_gradient(block.x, block.weights, block.dy, 0.2);
            }).find("features have shape [1,3,4,4]"),
            std::string::npos);
}

}  // namespace
}  // namespace mini
