// The convolution trio on a GPU against the CPU, in float64.
#include "ops/conv.h"

#include <gtest/gtest.h>

#include "ops/kernels.h"
#include "tensor/random.h"
#include "tensor/view.h"
#include "tests/cuda/device.h"
#include "tests/support/support.h"

namespace mini {
namespace {

using CudaConv = test::CudaTest;

struct Case {
  Shape x, w;
  Conv2dParams params;
};

const std::vector<Case>& cases() {
  static const std::vector<Case> list{
      {{2, 3, 7, 9}, {4, 3, 3, 3}, {.padding = {1, 1}}},
      {{1, 1, 1, 1}, {1, 1, 1, 1}, {}},
      {{1, 5, 6, 5}, {7, 5, 1, 1}, {}},
      {{1, 16, 9, 11}, {24, 16, 3, 3}, {.padding = {1, 1}}},
      {{2, 6, 11, 10}, {8, 6, 3, 2}, {.stride = {2, 3}, .padding = {1, 0}}},
      {{1, 3, 15, 15}, {6, 3, 7, 7}, {.stride = {4, 4}, .padding = {2, 2}}},
      {{1, 4, 12, 13}, {5, 4, 3, 3}, {.padding = {2, 3}, .dilation = {2, 3}}},
      {{2, 6, 8, 9}, {4, 3, 3, 3}, {.padding = {1, 1}, .groups = 2}},
      {{2, 6, 9, 8}, {6, 1, 3, 3}, {.stride = {2, 2}, .padding = {1, 1}, .groups = 6}},
      {{1, 2, 4, 4}, {3, 2, 1, 1}, {.padding = {3, 3}}},
      {{1, 2, 9, 9}, {3, 2, 2, 2}, {.stride = {3, 4}}},  // rows and columns that no output uses
  };
  return list;
}

struct Precision {
  DType dtype;
  double tolerance;
};
const std::vector<Precision>& precisions() {
  static const std::vector<Precision> list{{DType::float64, 1e-12},
                                           {DType::float32, 1e-5},
                                           {DType::bfloat16, 1e-2},
                                           {DType::float16, 2e-3}};
  return list;
}

struct Trio {
  Tensor y, dx, dw;
};

Trio run(const Case& c, const Tensor& x, const Tensor& w, const Tensor& bias, const Tensor& dy) {
  return {ops::conv2d(x, w, bias, c.params), ops::conv2d_input_gradient(dy, w, c.x, c.params),
          ops::conv2d_weight_gradient(x, dy, c.w, c.params)};
}

// The tensors of one case: float64 values that the dtype can represent.
struct Operands {
  Tensor x, w, bias, dy;

  Operands(const Case& c, DType dtype, std::uint64_t seed) {
    Generator random{seed};
    const auto draw = [&](const Shape& shape) {
      return ops::cast(ops::cast(ops::normal(random, shape), dtype), DType::float64);
    };
    x = draw(c.x);
    w = draw(c.w);
    bias = draw({c.w[0]});
    dy = draw(c.params.output_shape(c.x, c.w, "test"));
  }
};

Tensor back(const Tensor& t) { return ops::cast(ops::to_device(t, Device{}), DType::float64); }

void expect_near(const Trio& got, const Trio& wanted, double tolerance, const std::string& what) {
  EXPECT_LE(test::relative_error(back(got.y), wanted.y), tolerance) << "forward, " << what;
  EXPECT_LE(test::relative_error(back(got.dx), wanted.dx), tolerance) << "input, " << what;
  EXPECT_LE(test::relative_error(back(got.dw), wanted.dw), tolerance) << "weight, " << what;
}

TEST_F(CudaConv, AgreesWithTheCpu) {
  for (const Case& c : cases())
    for (const Precision& precision : precisions()) {
      const DType dtype = precision.dtype;
      const double tolerance = precision.tolerance;
      const Operands o(c, dtype, 1);
      const Trio wanted = run(c, o.x, o.w, o.bias, o.dy);
      const auto there = [&](const Tensor& t) {
        return ops::to_device(ops::cast(t, dtype), device);
      };
      const std::string what = concat_text(dtype, " x=", c.x, " w=", c.w);
      expect_near(run(c, there(o.x), there(o.w), there(o.bias), there(o.dy)), wanted, tolerance,
                  what + " row-major");
      const auto turned = [&](const Tensor& t) { return ops::channels_last(there(t)); };
      expect_near(run(c, turned(o.x), there(o.w), there(o.bias), turned(o.dy)), wanted, tolerance,
                  what + " channels-last");
    }
}

TEST_F(CudaConv, TakesChannelSlicesAsTheyAre) {
  const Case c{{2, 8, 5, 6}, {16, 8, 3, 3}, {.padding = {1, 1}}};
  for (const Precision& precision : precisions()) {
    const DType dtype = precision.dtype;
    const double tolerance = precision.tolerance;
    const Operands o(c, dtype, 2);
    const Trio wanted = run(c, o.x, o.w, o.bias, o.dy);
    // x and y are slices of one channels-last buffer, whose other channels must not change.
    const auto slices = [&](const Tensor& x, const Tensor& y) {
      const Tensor buffer = Tensor::full({2, 5, 6, 40}, 7, dtype, device);
      constexpr std::array<int, 4> order{0, 3, 1, 2};
      const Tensor image = ops::permute(buffer, order);
      const Tensor x_part = ops::narrow(image, 1, 8, 8), y_part = ops::narrow(image, 1, 16, 16);
      if (x.defined()) ops::copy(ops::to_device(x, device), x_part);
      if (y.defined()) ops::copy(ops::to_device(y, device), y_part);
      return std::array{image, x_part, y_part};
    };
    const Tensor w = ops::to_device(ops::cast(o.w, dtype), device);
    const Tensor bias = ops::to_device(ops::cast(o.bias, dtype), device);
    const auto forward = slices(o.x, {});
    MINI_DISPATCH(device, conv2d, forward[1], w, bias, forward[2], c.params);
    const auto gradient = slices({}, o.dy);
    MINI_DISPATCH(device, conv2d_input_gradient, gradient[2], w, gradient[1], c.params);
    const auto both = slices(o.x, o.dy);
    const Tensor dw = Tensor::empty(c.w, dtype, device);
    MINI_DISPATCH(device, conv2d_weight_gradient, both[1], both[2], dw, c.params);
    expect_near({forward[2], gradient[1], dw}, wanted, tolerance, concat_text(dtype));
    for (const Tensor& image : {forward[0], gradient[0]})
      for (const double value : ops::narrow(image, 1, 32, 8).to_vector()) EXPECT_EQ(value, 7);
  }
}

TEST_F(CudaConv, RoundsToTf32OnlyWhereAllowed) {
  const Case& c = cases()[3];
  const Operands o(c, DType::float32, 3);
  const Trio wanted = run(c, o.x, o.w, o.bias, o.dy);
  const auto there = [&](const Tensor& t) {
    return ops::to_device(ops::cast(t, DType::float32), device);
  };
  const auto once = [&] { return run(c, there(o.x), there(o.w), there(o.bias), there(o.dy)); };
  expect_near(once(), wanted, 1e-6, "full");
  const test::Precision allowed(ops::Products::tf32);
  const Trio rounded = once();
  expect_near(rounded, wanted, 1e-3, "TF32");
#ifdef MINI_CUDA_EMULATED  // a real cuDNN may choose another algorithm
  EXPECT_GE(test::relative_error(back(rounded.y), wanted.y), 1e-5);
#endif
}

// Views into larger tensors begin at any address.
TEST_F(CudaConv, TakesOperandsAtAnyAddress) {
  const Case c{{1, 4, 6, 5}, {8, 4, 3, 3}, {.padding = {1, 1}}};
  const Case narrow{{1, 4, 6, 5}, {1, 4, 1, 1}, {}};
  for (const Case& each : {c, narrow})
    for (const Precision& precision : precisions()) {
      const Operands o(each, precision.dtype, 6);
      const auto shifted = [&](const Tensor& t) {
        const Tensor buffer = Tensor::full({t.numel() + 1}, 7, precision.dtype, device);
        const Tensor view = ops::reshape(ops::narrow(buffer, 0, 1, t.numel()), t.shape());
        ops::copy(ops::to_device(ops::cast(t, precision.dtype), device), view);
        return view;
      };
      expect_near(run(each, shifted(o.x), shifted(o.w), shifted(o.bias), shifted(o.dy)),
                  run(each, o.x, o.w, o.bias, o.dy), precision.tolerance,
                  concat_text(precision.dtype, " w=", each.w));
    }
}

// Sums so long that they are divided into chunks.
TEST_F(CudaConv, GivesTheSameBitsInAnyOrder) {
  const Case c{{2, 4, 37, 41}, {6, 2, 3, 3}, {.padding = {1, 1}, .groups = 2}};
  for (const DType dtype : {DType::float64, DType::float32}) {
    const Operands o(c, dtype, 4);
    const auto there = [&](const Tensor& t) { return ops::to_device(ops::cast(t, dtype), device); };
    std::vector<Trio> runs;
    test::in_both_orders(device, [&] {
      runs.push_back(run(c, there(o.x), there(o.w), there(o.bias), there(o.dy)));
    });
    for (Tensor Trio::*part : {&Trio::y, &Trio::dx, &Trio::dw})
      EXPECT_TRUE(test::equal_bits(ops::to_device(runs[0].*part, Device{}),
                                   ops::to_device(runs[1].*part, Device{})));
    expect_near(runs[0], run(c, o.x, o.w, o.bias, o.dy), dtype == DType::float32 ? 1e-5 : 1e-12,
                "chunks");
  }
}

}  // namespace
}  // namespace mini
