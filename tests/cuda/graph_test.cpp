// Captured and replayed steps, and the exchange of values between host and device.
#include "tensor/graph.h"

#include <gtest/gtest.h>

#include "ops/elementwise.h"
#include "tensor/queue.h"
#include "tensor/view.h"
#include "tests/cuda/device.h"
#include "tests/support/support.h"

namespace mini {
namespace {

using CudaQueue = test::CudaTest;

TEST_F(CudaQueue, HostCopyHoldsTheValuesOfItsPlaceInTheQueue) {
  const Tensor x = Tensor::full({1000}, 1, DType::float32, device);
  const HostCopy before(x);
  ops::fill(x, 2);
  const HostCopy after(x);
  EXPECT_EQ(after.wait().to_vector(), std::vector<double>(1000, 2));
  EXPECT_EQ(before.wait().to_vector(), std::vector<double>(1000, 1));
}

TEST_F(CudaQueue, ValuesFromTheHostSurviveTheirSource) {
  Tensors made;
  for (int i = 0; i < 20; ++i)
    made.push_back(from_host({100}, DType::float32, device,
                             [i](const Tensor& values) { ops::fill(values, i); }));
  for (int i = 0; i < 20; ++i)
    EXPECT_EQ(made[static_cast<std::size_t>(i)].to_vector(), std::vector<double>(100, i));
}

// y = x·factor + noise. x is copied in, the factor comes from the host, the noise is drawn on the
// device; the host doubles y, and the result is the sum of both.
struct Step {
  Device device;
  Tensor x;
  double factor = 0;
  HostCopy result{};

  void run(Generator& random) {
    const Tensor scale = from_host({}, DType::float64, device,
                                   [this](const Tensor& value) { ops::fill(value, factor); });
    const Tensor noise = ops::uniform(random, x.shape(), DType::float64, {}, device);
    const Tensor y = ops::add(ops::binary(Binary::mul, x, scale), noise);
    const HostCopy here(y);
    const Tensor z = ops::unary(Unary::square, noise, 0, 0);  // the device continues
    const Tensor doubled =
        from_host(y.shape(), DType::float64, device, [here](const Tensor& values) {
          ops::copy(ops::unary(Unary::affine, here.wait(), 2, 0), values);
        });
    result = HostCopy(ops::add(ops::add(y, doubled), z));
  }
};

TEST_F(CudaQueue, AReplayedStepIsTheStepItself) {
  Step eager{device, Tensor::empty({5, 7}, DType::float64, device)};
  Step captured{device, Tensor::empty({5, 7}, DType::float64, device)};
  Graph graph(device);
  Generator random{3, 40};
  {
    Generator same = random;
    graph.capture(random, [&] { captured.run(same); });
  }
  std::vector<std::vector<double>> seen;
  for (int i = 0; i < 4; ++i) {
    Generator values{9, static_cast<std::uint64_t>(100 * i)};
    const Tensor x = ops::uniform(values, {5, 7}, DType::float64);
    for (Step* step : {&eager, &captured}) {
      ops::copy(x, step->x);
      step->factor = i + 0.5;
    }
    graph.replay(random);
    eager.run(random);  // advances the generator
    EXPECT_EQ(captured.result.wait().to_vector(), eager.result.wait().to_vector());
    seen.push_back(captured.result.wait().to_vector());
  }
  EXPECT_NE(seen[0], seen[1]);
}

TEST_F(CudaQueue, ReplaysLeaveOtherMemoryAlone) {
  Step step{device, Tensor::full({64, 64}, 1, DType::float64, device)};
  Graph graph(device);
  Generator random{3, 0};
  {
    Generator same = random;
    graph.capture(random, [&] { step.run(same); });
  }
  Tensors bystanders;  // would get the memory of the step's temporaries if the pool did not keep it
  for (int i = 0; i < 8; ++i)
    bystanders.push_back(Tensor::full({64, 64}, i, DType::float64, device));
  graph.replay(random);
  for (int i = 0; i < 8; ++i)
    EXPECT_EQ(bystanders[static_cast<std::size_t>(i)].to_vector(), std::vector<double>(64 * 64, i));
}

TEST_F(CudaQueue, AStepThatNeedsAValueCannotBeCaptured) {
  const Tensor x = Tensor::ones({}, DType::float32, device);
  Graph graph(device);
  EXPECT_NE(test::error_of([&] { graph.capture({}, [&] { (void)x.item(); }); }), "");
  EXPECT_EQ(x.item(), 1);  // the failed capture has changed nothing
}

TEST_F(CudaQueue, DrawsOfAnotherGeneratorCannotBeCaptured) {
  Graph graph(device);
  Generator other{8, 0};
  EXPECT_NE(
      test::error_of([&] {
        graph.capture({7, 0}, [&] { (void)ops::uniform(other, {4}, DType::float32, {}, device); });
      }).find("another generator"),
      std::string::npos);
}

}  // namespace
}  // namespace mini
