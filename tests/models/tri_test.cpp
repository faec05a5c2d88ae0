// T-IRN and T-SAIN: parameter counts, that they undo themselves, memory modes, errors.
#include "autograd/engine.h"
#include "models/tri/tirn.h"
#include "models/tri/tsain.h"
#include "tensor/view.h"
#include "tests/models/upscaler.h"
#include "tests/support/golden.h"

namespace mini {
namespace {

using models::Tirn, models::TirnOptions, models::Tsain, models::TsainOptions;

TEST(TriRescaler, HasThePublishedNumbersOfParameters) {
  EXPECT_EQ(test::parameter_count<Tirn>(TirnOptions{}), 1'571'061);
  EXPECT_EQ(test::parameter_count<Tirn>(TirnOptions{.scale = 4}), 4'673'377);
  EXPECT_EQ(test::parameter_count<Tsain>(TsainOptions{}), 2'094'748);
  EXPECT_EQ(test::parameter_count<Tsain>(TsainOptions{.scale = 4}), 5'448'956);
}

// The two matrices of YCbCr are inverse to each other to 4e-7 only.
TEST(TriRescaler, UndoesItselfWithoutClamps) {
  Generator generator{1};
  for (const std::int64_t scale : {2, 4}) {
    Tsain net({.scale = scale, .down_blocks_2 = 1, .growth = 4, .clamp_inside = false}, generator);
    net.to(DType::float64);
    test::set_golden_weights(net);
    const NoGrad no_grad;
    const Tensor hr = ops::uniform(generator, {2, 3, 16, 8}, DType::float64);
    const models::FlowResult down = net.forward(hr, true), up = net.inverse(down.out, true);
    EXPECT_LT(test::max_difference(up.out, hr), 2e-5);
    EXPECT_LT(test::max_difference(up.lr, down.lr), 2e-5);
    EXPECT_NEAR(down.log_det.item(), -up.log_det.item(), 1e-3 * std::abs(down.log_det.item()));
    EXPECT_EQ(down.lr.shape(), (Shape{2, 3, 16 / scale, 8 / scale}));
  }
}

TEST(TriRescaler, EveryMemoryModeGivesTheSameBits) {
  Generator generator{1};
  Tsain net({.growth = 4}, generator);
  test::set_golden_weights(net);
  const Tensor hr = ops::uniform(generator, {1, 3, 8, 8});
  const auto gradients = [&](models::MemoryMode memory) {
    net.set_memory(memory);
    net.zero_grad();
    const models::FlowResult down = net.forward(hr);
    backward(sum(square(net.inverse(down.out * 0.5).out)) + sum(square(down.lr)));
    Tensors result;
    for (const Tensor& parameter : net.parameters()) result.push_back(parameter.grad());
    return result;
  };
  const Tensors stored = gradients(models::MemoryMode::stored);
  for (const auto memory : {models::MemoryMode::checkpoint, models::MemoryMode::exact}) {
    const Tensors other = gradients(memory);
    for (std::size_t i = 0; i < stored.size(); ++i)
      EXPECT_TRUE(test::equal_bits(stored[i], other[i])) << i;
  }
}

TEST(TriRescaler, SaysWhatItNeeds) {
  Generator generator{1};
  EXPECT_EQ(test::error_of([&] { Tirn({.scale = 3}, generator); }),
            "tirn: scale must be 2 or 4, got 3");
  const Tirn net({.growth = 2}, generator);
  EXPECT_EQ(test::error_of([&] {
              static_cast<void>(net.forward(Tensor::zeros({1, 3, 8, 7})));
            }),
            "tirn: needs an image [N,3,H,W] whose sides are multiples of 2, got [1,3,8,7]; pad or "
            "crop it");
  EXPECT_EQ(test::error_of([&] {
              static_cast<void>(net.inverse(Tensor::zeros({1, 3, 8, 8})));
            }),
            "tirn: needs LR and its latent, [N,12,h,w], got [1,3,8,8]");
}

}  // namespace
}  // namespace mini
