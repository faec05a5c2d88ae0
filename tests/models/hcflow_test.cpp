// HCFlow: parameter count, names, and that it undoes itself.
#include "models/hcflow/hcflow.h"

#include <cmath>

#include "tensor/view.h"
#include "tests/models/upscaler.h"

namespace mini {
namespace {

using models::HcFlow, models::HcFlowOptions;

const HcFlowOptions small{.steps = 3,
                          .growth = 4,
                          .conditional = {.steps = 2,
                                          .hidden = 6,
                                          .features = 4,
                                          .growth = 2,
                                          .trunk_blocks0 = 1,
                                          .trunk_blocks1 = 1}};

TEST(HcFlow, HasThePublishedNumberOfParameters) {
  EXPECT_EQ(test::parameter_count<HcFlow>(HcFlowOptions{}), 4'396'206);
}

TEST(HcFlow, NamesItsWeightsLikeTheAuthors) {
  Generator generator{1};
  const nn::StateDict state = HcFlow({}, generator).state_dict();
  for (const char* name :
       {"flow.layers.0.haar_weights", "flow.layers.8.affine.f.conv5.bias",
        "flow.layers.18.actnorm.logs", "flow.level0_condFlow.RRDB_trunk0.1.RDB3.conv5.weight",
        "flow.level1_condFlow.additional_flow_steps.5.permute.weight",
        "flow.level1_condFlow.additional_flow_steps.0.affine.f.conv1.actnorm.bias",
        "flow.level1_condFlow.f.logs"})
    EXPECT_TRUE(state.contains(name)) << name;
  EXPECT_FALSE(state.contains("flow.layers.9.actnorm.bias")) << "the split";
}

TEST(HcFlow, UndoesItselfAfterTheFirstBatchHasSetItsNorms) {
  Generator generator{1};
  HcFlow net(small, generator);
  net.to(DType::float64);
  const NoGrad no_grad;
  for (const auto& [name, tensor] : net.named_parameters())  // so that no step is the identity
    if (name.ends_with("conv5.weight") || name.ends_with("conv3.weight"))
      ops::copy(ops::normal(generator, tensor.shape(), DType::float64) * 0.05, tensor);
  const Tensor hr = ops::uniform(generator, {4, 3, 16, 8}, DType::float64);
  const auto result = net.forward(hr, true);
  EXPECT_EQ(result.lr.shape(), (Shape{4, 3, 4, 2}));
  EXPECT_EQ(result.log_det.shape(), Shape{4});
  const Tensor norm = net.state_dict().at("flow.layers.1.actnorm.bias");
  double largest = 0;
  for (const double bias : norm.to_vector()) largest = std::max(largest, std::abs(bias));
  EXPECT_GT(largest, 0.1) << "the mean of the first batch";
  EXPECT_LT(test::max_difference(net.inverse(result.lr, result.z1, result.z2), hr), 1e-10);
  net.forward(hr * 2.0);
  EXPECT_LT(test::max_difference(net.inverse(result.lr, result.z1, result.z2), hr), 1e-10)
      << "only the first batch sets them";
}

TEST(HcFlow, TrainsEveryParameterOfBothDirections) {
  Generator generator{1};
  HcFlow net(small, generator);
  const auto result = net.forward(ops::uniform(generator, {2, 3, 8, 8}), true);
  backward(sum(square(result.z1)) + sum(square(result.z2)) + sum(square(result.lr)) +
           sum(result.log_det));
  for (const auto& [name, tensor] : net.named_parameters())
    EXPECT_TRUE(tensor.grad().defined()) << name;
}

TEST(HcFlow, SaysWhatItNeeds) {
  Generator generator{1};
  EXPECT_EQ(
      test::error_of([&] {
        HcFlow(small, generator).forward(Tensor::zeros({1, 3, 8, 6}));
      }),
      "hcflow: needs an image [N,3,H,W] whose sides are multiples of 4, got [1,3,8,6]; pad or "
      "crop it");
}

}  // namespace
}  // namespace mini
