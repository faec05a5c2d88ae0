// CAR's kernel network: parameter counts, sizes, and that LR is a mean of HR.
#include "models/car/kernel_network.h"

#include "tensor/view.h"
#include "tests/models/upscaler.h"

namespace mini {
namespace {

using models::KernelOptions, models::KernelNetwork;

TEST(KernelNetwork, HasThePublishedNumbersOfParameters) {
  EXPECT_EQ(test::parameter_count<KernelNetwork>(KernelOptions{.scale = 2}), 10'645'651);
  EXPECT_EQ(test::parameter_count<KernelNetwork>(KernelOptions{.scale = 4}), 9'896'443);
}

TEST(KernelNetwork, MakesAWeightedMeanOfTheImage) {
  Generator generator{1};
  for (const std::int64_t scale : {2, 4}) {
    KernelNetwork net({.scale = scale, .features = 4, .blocks = 1}, generator);
    const Tensor hr = ops::uniform(generator, {2, 3, 16, 24});
    const auto kernels = net(hr);
    const std::int64_t k = 3 * scale + 1;
    EXPECT_EQ(kernels.weights.shape(), (Shape{2, k * k, 16 / scale, 24 / scale}));
    for (const double total : sum(kernels.weights, std::vector<int>{1}).to_vector())
      EXPECT_NEAR(total, 1, 1e-5);
    const Tensor flat = Tensor::full(hr.shape(), 0.25);
    for (const double value : net.resample(flat, kernels).to_vector())
      EXPECT_NEAR(value, 0.25, 1e-5);
    backward(sum(square(net.resample(hr, kernels))));
    for (const auto& [name, tensor] : net.named_parameters())
      EXPECT_TRUE(tensor.grad().defined()) << name;
  }
}

TEST(KernelNetwork, SaysWhatItNeeds) {
  Generator generator{1};
  EXPECT_EQ(test::error_of([&] { KernelNetwork({.scale = 3}, generator); }),
            "car: scale must be 2 or 4, got 3");
  const KernelNetwork net({.features = 4}, generator);
  EXPECT_EQ(test::error_of([&] {
              net(Tensor::zeros({1, 3, 16, 20}));
            }),
            "car: needs an image [N,3,H,W] whose sides are multiples of 8 from 16 on, got "
            "[1,3,16,20]; pad or crop it");
}

}  // namespace
}  // namespace mini
