// Matrix products on a GPU against the CPU, in float64.
#include "ops/matmul.h"

#include <gtest/gtest.h>

#include "tensor/random.h"
#include "tensor/view.h"
#include "tests/cuda/device.h"
#include "tests/support/support.h"

namespace mini {
namespace {

using CudaMatmul = test::CudaTest;

// The same matrices transposed in memory, and with gaps.
Tensor turned(const Tensor& x) {
  const int last = x.rank() - 1;
  return ops::transpose(ops::contiguous(ops::transpose(x, last - 1, last)), last - 1, last);
}
Tensor spread(const Tensor& x) {
  Shape wide = x.shape();
  wide[x.rank() - 1] *= 2;
  wide[x.rank() - 2] += 3;
  const Tensor room = Tensor::zeros(wide, x.dtype(), x.device());
  Shape strides = room.strides();
  strides[x.rank() - 1] = 2;
  const Tensor view = room.as_strided(x.shape(), strides, 0);
  ops::copy(x, view);
  return view;
}

TEST_F(CudaMatmul, AgreesWithTheCpu) {
  struct Shapes {
    Shape a, b;
  };
  const std::vector<Shapes> shapes{
      {{1, 1}, {1, 1}},       {{3, 5}, {5, 4}},    {{2, 7, 3}, {2, 3, 9}},
      {{4, 6, 5}, {5, 3}},    {{6, 5}, {3, 5, 2}}, {{2, 1, 3, 4}, {3, 4, 5}},
      {{1, 40}, {40, 1}},     {{33, 1}, {1, 17}},  {{2, 3, 0}, {2, 0, 4}},
      {{5, 1, 6}, {1, 6, 1}},
  };
  struct Precision {
    DType dtype;
    double tolerance;
  };
  for (const Shapes& shape : shapes)
    for (const Precision& precision :
         {Precision{DType::float64, 1e-12}, Precision{DType::float32, 1e-5},
          Precision{DType::bfloat16, 1e-2}, Precision{DType::float16, 2e-3}}) {
      const DType dtype = precision.dtype;
      const double tolerance = precision.tolerance;
      Generator random{3};
      const Tensor a = ops::cast(ops::normal(random, shape.a), dtype);
      const Tensor b = ops::cast(ops::normal(random, shape.b), dtype);
      const Tensor wanted = ops::matmul(ops::cast(a, DType::float64), ops::cast(b, DType::float64));
      const Tensor x = ops::to_device(a, device), y = ops::to_device(b, device);
      const auto expect_near = [&](const Tensor& left, const Tensor& right) {
        const Tensor got = ops::to_device(ops::matmul(left, right), Device{});
        EXPECT_LE(test::relative_error(ops::cast(got, DType::float64), wanted), tolerance)
            << dtype << shape.a << shape.b;
      };
      expect_near(x, y);
      if (dtype != DType::float32) continue;
      for (const Tensor& left : {turned(x), spread(x)})
        for (const Tensor& right : {turned(y), spread(y)}) expect_near(left, right);
    }
}

TEST_F(CudaMatmul, RoundsToTf32OnlyWhereAllowed) {
  Generator random{5};
  const Tensor a = ops::normal(random, {2, 64, 64}), b = ops::normal(random, {64, 64});
  const Tensor wanted = ops::matmul(a, b);
  const auto error = [&] {
    const Tensor y = ops::matmul(ops::to_device(a, device), ops::to_device(b, device));
    return test::relative_error(ops::to_device(y, Device{}), wanted);
  };
  EXPECT_LE(error(), 1e-6);
  const test::Precision allowed(ops::Products::tf32);
  const double rounded = error();
#ifdef MINI_CUDA_EMULATED  // a real cuBLAS may choose another algorithm
  EXPECT_GE(rounded, 1e-5);
#endif
  EXPECT_LE(rounded, 1e-3);
}

}  // namespace
}  // namespace mini
