// The average of the weights: its formula, its use for a while, in checkpoints, and in validation.
#include "train/average.h"

#include "infer/weights.h"
#include "nn/layers.h"
#include "tensor/view.h"
#include "tests/support/support.h"
#include "train/checkpoint.h"

namespace mini::train {
namespace {

TEST(WeightAverage, FollowsTheFormula) {
  nn::Linear linear(1, 1);
  linear.to(DType::float64);
  ops::fill(linear.weight, 4);
  WeightAverage average(linear, 0.75);
  double expected = 4;
  for (const double value : {8.0, -1.0, 3.0}) {
    ops::fill(linear.weight, value);
    average.update();
    expected = 0.75 * expected + 0.25 * value;
    EXPECT_NEAR(average.state().at("weight").item(), expected, 1e-15);
  }
  EXPECT_EQ(average.state().at("bias").item(), 0);
  EXPECT_EQ(linear.weight.item(), 3);
  {
    const WeightAverage::InUse in_use(average);
    EXPECT_NEAR(linear.weight.item(), expected, 1e-15);
  }
  EXPECT_EQ(linear.weight.item(), 3);
}

TEST(WeightAverage, RefusesThatOfAnotherNetwork) {
  const nn::Linear linear(2, 1);
  WeightAverage average(linear, 0.5);
  EXPECT_EQ(test::error_of([&] {
              average.load_state({{"weight", Tensor::zeros({1, 2})}});
            }),
            "train: the saved average of the weights has no bias of shape [1]");
  EXPECT_EQ(test::error_of([&] { WeightAverage(linear, 1); }),
            "train.ema: must be in (0, 1), got 1");
}

TEST(WeightAverage, IsWhatACheckpointIsReadFor) {
  test::TemporaryFolder folder;
  Checkpoint checkpoint;
  checkpoint.model = {{"w", Tensor::zeros({1})}};
  checkpoint.average = {{"w", Tensor::ones({1})}};
  save_checkpoint(folder.path() / "x", checkpoint);
  EXPECT_EQ(infer::read_weights(folder.path() / "x").at("w").item(), 1);
  EXPECT_EQ(infer::read_weights(folder.path() / "x", infer::Weights::raw).at("w").item(), 0);
  EXPECT_EQ(load_checkpoint(folder.path() / "x").average.at("w").item(), 1);
}

}  // namespace
}  // namespace mini::train
