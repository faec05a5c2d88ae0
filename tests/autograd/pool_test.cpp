#include "autograd/functions.h"
#include "tests/autograd/numeric_gradient.h"

namespace mini {
namespace {

const std::vector<Pool2dParams> cases = {
    {{2, 2}, {2, 2}, {0, 0}}, {{3, 3}, {2, 2}, {1, 1}}, {{3, 2}, {1, 2}, {1, 0}}};

TEST(PoolGradients, MaxPool) {
  for (const Pool2dParams& p : cases)
    test::expect_gradients([&](const Tensors& x) { return max_pool2d(square(x[0]), p); },
                           {test::random({1, 2, 5, 6})});
}

TEST(PoolGradients, AvgPool) {
  for (const Pool2dParams& p : cases)
    test::expect_gradients([&](const Tensors& x) { return square(avg_pool2d(x[0], p)); },
                           {test::random({1, 2, 5, 6})});
}

}  // namespace
}  // namespace mini
