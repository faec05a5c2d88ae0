#include "autograd/functions.h"
#include "tensor/view.h"
#include "tests/autograd/numeric_gradient.h"
#include "tests/support/support.h"

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

// Convolutions read and write channels-last; what is put together from their results stays so.
TEST(Concat, KeepsTheMemoryOrderOfItsParts) {
  Generator generator{1, 0};
  const Tensor x = ops::channels_last(ops::normal(generator, {2, 3, 4, 5}));
  const Tensor y = ops::channels_last(ops::normal(generator, {2, 6, 4, 5}));
  EXPECT_TRUE(concat({x, y}, 1).is_channels_last());
  EXPECT_TRUE(concat({ops::contiguous(x), y}, 1).is_contiguous());
  EXPECT_TRUE(test::equal_bits(concat({x, y}, 1), concat({ops::contiguous(x), y}, 1)));
}

}  // namespace
}  // namespace mini
