// The fused dense block on a GPU against the CPU, in all ways of multiplying.
#include "ops/dense_block.h"

#include <cmath>
#include <gtest/gtest.h>

#include "ops/cuda/dense_block.h"
#include "tensor/random.h"
#include "tensor/view.h"
#include "tests/cuda/device.h"
#include "tests/support/support.h"

namespace mini {
namespace {

using CudaDenseBlock = test::CudaTest;

struct Block {
  Tensor x, dy;
  Tensors weights, biases;
  double slope;

  // Convolutions to `outputs` channels each. Integers are -1, 0 and 1, and most weights are 0; so
  // with a slope of 1/2 all features and their gradients fit into the 8 bits of a bfloat16.
  Block(const Shape& shape, const std::vector<std::int64_t>& outputs, double slope_,
        bool integers = false)
      : slope(slope_) {
    Generator random{9};
    const auto draw = [&](const Shape& s, double scale) {
      Tensor t = ops::uniform(random, s);
      for (std::int64_t i = 0; i < t.numel(); ++i) {
        float& value = t.data<float>()[i];
        const double even = 2 * static_cast<double>(value) - 1;
        if (integers && s.rank() == 4 && s[2] == 3)
          value = std::abs(even) > 0.97 ? std::copysign(1.0f, static_cast<float>(even)) : 0.0f;
        else
          value = static_cast<float>(integers ? std::round(even) : scale * even);
      }
      return t;
    };
    x = draw(shape, 1);
    std::int64_t channels = shape[1];
    for (const std::int64_t o : outputs) {
      weights.push_back(
          draw({o, channels, 3, 3}, 1 / std::sqrt(3.0 * static_cast<double>(channels))));
      biases.push_back(draw({o}, 0.5));
      channels += o;
    }
    dy = draw({shape[0], outputs.back(), shape[2], shape[3]}, 1);
  }

  Block on(Device device) const {
    Block result = *this;
    const auto move = [&](Tensor& t) { t = ops::to_device(t, device); };
    move(result.x);
    move(result.dy);
    for (Tensor& t : result.weights) move(t);
    for (Tensor& t : result.biases) move(t);
    return result;
  }
};

struct Result {
  Tensor y;
  ops::DenseBlockGradient gradient;
};

Result run(const Block& block) {
  Result result;
  Tensor features;
  result.y = ops::dense_block(block.x, block.weights, block.biases, block.slope, &features);
  result.gradient = ops::dense_block_gradient(features, block.weights, block.dy, block.slope);
  return result;
}

Tensors all_of(const Result& r) {
  Tensors all{r.y, r.gradient.dx};
  all.insert(all.end(), r.gradient.dw.begin(), r.gradient.dw.end());
  all.insert(all.end(), r.gradient.db.begin(), r.gradient.db.end());
  for (Tensor& t : all) t = ops::to_device(t, Device{});
  return all;
}

// |a - b| / |b| in Euclidean norms.
double distance(const Tensor& a, const Tensor& b) {
  const auto x = a.to_vector(), y = b.to_vector();
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    difference += (x[i] - y[i]) * (x[i] - y[i]);
    size += y[i] * y[i];
  }
  return difference == 0 ? 0 : std::sqrt(difference / size);
}

void expect_near(const Result& got, const Result& wanted, double tolerance) {
  const Tensors a = all_of(got), b = all_of(wanted);
  for (std::size_t i = 0; i < b.size(); ++i)
    EXPECT_LE(distance(a[i], b[i]), tolerance) << "y, dx, dw.., db..: number " << i;
}

void expect_same(const Result& got, const Result& wanted) {
  const Tensors a = all_of(got), b = all_of(wanted);
  for (std::size_t i = 0; i < b.size(); ++i)
    EXPECT_TRUE(test::equal_bits(a[i], b[i])) << "y, dx, dw.., db..: number " << i;
}

struct Way {
  ops::Products products;
  double tolerance;
};
constexpr std::array ways{Way{ops::Products::full, 1e-6}, Way{ops::Products::tf32, 1e-3},
                          Way{ops::Products::bfloat16, 2e-2}};

TEST_F(CudaDenseBlock, AgreesWithTheCpu) {
  // Channels and sizes below, equal to and above those of chunks, tiles and pairs.
  const std::vector<Block> blocks{
      Block({2, 9, 6, 8}, {32, 32, 3}, 0.2),
      Block({1, 18, 3, 12}, {17, 49, 45}, 0.1),
      Block({3, 1, 1, 1}, {4, 4, 1}, 0.0),
      Block({1, 2, 33, 3}, {5, 7, 12}, 1.5),
      Block({1, 45, 4, 20}, {16, 3}, 0.2),
      Block({2, 4, 18, 2}, {7}, 0.2),
      Block({1, 3, 17, 19}, {8, 8, 9}, 0.2),
      Block({1, 9, 17, 9}, {32, 32, 32, 32, 3}, 0.2),
      Block({1, 4, 5, 5}, {3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3}, 0.2),
  };
  for (const Block& block : blocks) expect_near(run(block.on(device)), run(block), 1e-6);
}

// Tests the operand layouts of tensor cores: nothing is rounded, so results must be equal.
TEST_F(CudaDenseBlock, IsExactOnIntegers) {
  std::vector<Block> blocks{Block({1, 3, 17, 9}, {8, 9}, 0.5, true)};
  if (!test::address_sanitizer) {  // it slows the emulated device down ten times
    blocks.emplace_back(Shape{1, 9, 6, 8}, std::vector<std::int64_t>{32, 32, 3}, 0.5, true);
    blocks.emplace_back(Shape{1, 18, 3, 12}, std::vector<std::int64_t>{17, 33, 10}, 0.5, true);
    // Enough patches that a block of the weight gradient has several, from both images.
    blocks.emplace_back(Shape{2, 3, 33, 100}, std::vector<std::int64_t>{2, 2, 2, 2}, 0.5, true);
  }
  for (const Block& block : blocks) {
    const Result wanted = run(block);
    for (const Way& way : ways) {
      SCOPED_TRACE(concat_text(block.x.shape(), ", tolerance ", way.tolerance));
      const test::Precision precision(way.products);
      expect_near(run(block.on(device)), wanted, 0);
    }
  }
}

TEST_F(CudaDenseBlock, RoundsAsItIsTold) {
  // A rounded feature may have another sign. With a slope of 1 this makes no difference.
  const Block block({1, 9, 9, 7}, {32, 16, 3}, 1);
  const Result wanted = run(block);
  for (const Way& way : ways) {
    SCOPED_TRACE(way.tolerance);
    const test::Precision precision(way.products);
    const Result got = run(block.on(device));
    expect_near(got, wanted, way.tolerance);
    EXPECT_GE(distance(ops::to_device(got.y, Device{}), wanted.y), way.tolerance / 100);
  }
}

TEST_F(CudaDenseBlock, GivesTheSameBitsInAnyOrderAndMemory) {
  Block block = Block({1, 9, 9, 18}, {8, 3}, 0.2).on(device);
  for (const Way& way : ways) {
    const test::Precision precision(way.products);
    std::vector<Result> runs;
    test::in_both_orders(device, [&] { runs.push_back(run(block)); });
    expect_same(runs[1], runs[0]);
    Block turned = block;
    turned.x = ops::channels_last(block.x);
    turned.dy = ops::channels_last(block.dy);
    expect_same(run(turned), runs[0]);
  }
}

#ifdef MINI_CUDA
TEST_F(CudaDenseBlock, NeedsLittleMemoryWhereFeaturesAreNotKept) {
  const Block block = Block({3, 9, 70, 9}, {16, 8, 3}, 0.2).on(device);
  const Tensor wanted =
      ops::to_device(ops::dense_block(block.x, block.weights, block.biases, block.slope), Device{});
  const auto bytes = [&] { return ops::dense_block_workspace(block.x.shape(), block.weights); };
  const std::size_t all = bytes();
  // Two images at a time, one image, and bands of one image.
  for (const std::int64_t limit : {2 * 70 * 9 * 160, 70 * 9 * 160, 30 * 9 * 160}) {
    cuda::set_dense_block_bytes(limit);
    EXPECT_LT(bytes(), all);
    const Tensor y = ops::dense_block(block.x, block.weights, block.biases, block.slope);
    EXPECT_TRUE(test::equal_bits(ops::to_device(y, Device{}), wanted)) << limit;
  }
  cuda::set_dense_block_bytes(128 << 20);
  EXPECT_EQ(bytes(), all);
}
#endif

}  // namespace
}  // namespace mini
