#include "autograd/functions.h"
#include "tests/autograd/numeric_gradient.h"

namespace mini {
namespace {

TEST(ImageGradients, Padding) {
  for (const PadMode mode : {PadMode::zero, PadMode::reflect, PadMode::replicate}) {
    const Padding2d padding{2, 1, 0, 3};
    test::expect_gradients([&](const Tensors& x) { return square(pad2d(x[0], padding, mode)); },
                           {test::random({1, 2, 4, 5})});
    test::expect_gradients(
        [&](const Tensors& x) { return square(pad2d_adjoint(x[0], padding, mode)); },
        {test::random({1, 2, 7, 8})});
  }
}

TEST(ImageGradients, Haar) {
  test::expect_gradients([](const Tensors& x) { return square(haar(x[0])); },
                         {test::random({2, 3, 4, 2})});
  test::expect_gradients([](const Tensors& x) { return square(haar_inverse(x[0])); },
                         {test::random({1, 8, 1, 3})});
}

TEST(ImageGradients, Resize) {
  for (const double scale : {0.5, 0.4, 1.0, 2.0})
    test::expect_gradients(
        [scale](const Tensors& x) { return square(resize_bicubic(x[0], scale)); },
        {test::random({1, 2, 5, 6})});
}

}  // namespace
}  // namespace mini
