// Memory, copies and random numbers on a GPU.
#include <cmath>
#include <gtest/gtest.h>

#include "tensor/random.h"
#include "tensor/view.h"
#include "tests/cuda/device.h"

namespace mini {
namespace {

using CudaTensor = test::CudaTest;

TEST_F(CudaTensor, GoesThereAndBack) {
  for (const DType dtype : {DType::float32, DType::float64, DType::bfloat16, DType::float16,
                            DType::uint8, DType::int64}) {
    const Tensor x = ops::cast(Tensor::arange(60), dtype);
    const Tensor there = ops::to_device(ops::reshape(x, {3, 4, 5}), device);
    EXPECT_EQ(there.device(), device);
    EXPECT_EQ(there.to_vector(), x.to_vector());
  }
}

TEST_F(CudaTensor, CopiesAndConvertsViewsLikeTheCpu) {
  const std::vector<double> values{-3e9, -1.5, -0.25, 0, 0.25,  1.5,  254.5,  300,
                                   1e30, 3,    NAN,   7, 65520, 1e-8, -1e-40, 2};
  const Tensor x = Tensor::from(values, {4, 4});
  for (const DType from : {DType::float32, DType::float64, DType::bfloat16, DType::float16})
    for (const DType to : {DType::float32, DType::float64, DType::bfloat16, DType::float16,
                           DType::uint8, DType::int64}) {
      const Tensor source = ops::cast(x, from);
      const auto converted = [&](const Tensor& t) {
        const Tensor result = Tensor::zeros({4, 3}, to, t.device());
        ops::copy(ops::narrow(ops::transpose(t, 0, 1), 1, 1, 3), result);
        return ops::cast(result, DType::float64).to_vector();
      };
      const auto here = converted(source), there = converted(ops::to_device(source, device));
      for (std::size_t i = 0; i < here.size(); ++i)
        EXPECT_TRUE(here[i] == there[i] || (std::isnan(here[i]) && std::isnan(there[i])))
            << from << " to " << to << ", element " << i << ": " << here[i] << ", " << there[i];
    }
}

TEST_F(CudaTensor, DrawsTheNumbersOfTheCpu) {
  const Shape shape{3, 7, 5};
  for (const DType dtype : {DType::float32, DType::float64})
    for (const auto& part : {std::optional<ops::DrawPart>(), std::optional(ops::DrawPart{1, 2, 3}),
                             std::optional(ops::DrawPart{2, 4, 1})}) {
      Generator here{7, 11}, there{7, 11};
      EXPECT_EQ(ops::uniform(here, shape, dtype, part).to_vector(),
                ops::uniform(there, shape, dtype, part, device).to_vector());
      const double tolerance = dtype == DType::float32 ? 1e-6 : 1e-14;
      const auto expect_near = [&](const Tensor& a, const Tensor& b) {
        const auto x = a.to_vector(), y = b.to_vector();
        for (std::size_t i = 0; i < x.size(); ++i)
          EXPECT_NEAR(x[i], y[i], tolerance * (1 + std::abs(x[i])));
      };
      expect_near(ops::normal(here, shape, dtype, part),
                  ops::normal(there, shape, dtype, part, device));
      expect_near(ops::exponential(here, shape, dtype, part),
                  ops::exponential(there, shape, dtype, part, device));
      EXPECT_EQ(here, there);
    }
}

}  // namespace
}  // namespace mini
