// Resizing against the golden values: bicubic as MATLAB's imresize, the others as PyTorch's interpolate.
#include <gtest/gtest.h>

#include "autograd/functions.h"
#include "io/safetensors.h"
#include "tensor/view.h"
#include "tests/support/devices.h"
#include "tests/support/support.h"

namespace mini {
namespace {

using GoldenResize = test::OnEachDevice;

// uint8 or float HWC -> [1,C,H,W] of float32.
Tensor as_nchw(const Tensor& image) {
  const int order[] = {2, 0, 1};
  return ops::unsqueeze(ops::permute(ops::cast(image, DType::float32), order), 0);
}

TEST_P(GoldenResize, MatchesMatlab) {
  const auto folder = test::golden_folder();
  if (!folder) GTEST_SKIP() << "the folder of golden values is absent";
  const auto tensors = io::read_safetensors(*folder / "resize_metrics.safetensors").tensors;
  const Tensor image = ops::to_device(as_nchw(tensors.at("image")) / 255.0, device);
  const std::pair<const char*, double> cases[] = {{"resize.half", 0.5},
                                                  {"resize.quarter", 0.25},
                                                  {"resize.double", 2},
                                                  {"resize.quadruple", 4}};
  for (const auto& [name, scale] : cases) {
    SCOPED_TRACE(name);
    EXPECT_LT(test::max_difference(resize_bicubic(image, scale), as_nchw(tensors.at(name))), 1e-5);
  }
}

TEST_P(GoldenResize, InterpolatesLikePyTorch) {
  const auto folder = test::golden_folder();
  if (!folder) GTEST_SKIP() << "the folder of golden values is absent";
  const auto tensors = io::read_safetensors(*folder / "interpolate.safetensors").tensors;
  for (const auto& [dtype, tolerance] :
       {std::pair(DType::float64, 1e-12), std::pair(DType::float32, 1e-5)}) {
    const Tensor x = ops::to_device(ops::cast(tensors.at("x"), dtype), device);
    const auto compare = [&, tolerance = tolerance](const Tensor& y, const char* name) {
      const Tensor here = ops::cast(ops::to_device(y, {}), DType::float64);
      EXPECT_LT(test::max_difference(here, tensors.at(name)), tolerance) << name;
    };
    compare(resize_bilinear(x, 16, 16), "bilinear_16x16");
    compare(resize_bilinear(x, 48, 61), "bilinear_48x61");
    compare(upsample_nearest(x, 4), "nearest_x4");
  }
}

INSTANTIATE_TEST_SUITE_P(Devices, GoldenResize, test::each_device(), test::device_name);

}  // namespace
}  // namespace mini
