// Derivatives of the convolution trio and of matrix products, against central differences.
#include "autograd/functions.h"
#include "tests/autograd/numeric_gradient.h"

namespace mini {
namespace {

struct Case {
  Shape x, w;
  Conv2dParams params;
};

const std::vector<Case> cases = {
    {{2, 3, 5, 4}, {2, 3, 3, 3}, {.padding = {1, 1}}},
    {{1, 4, 7, 6}, {4, 2, 3, 2}, {.stride = {2, 3}, .padding = {1, 0}, .groups = 2}},
    {{1, 2, 8, 6}, {3, 2, 2, 3}, {.stride = {3, 1}, .dilation = {2, 2}}},
};

Shape output(const Case& c) { return c.params.output_shape(c.x, c.w, "test"); }

TEST(ConvGradients, Conv2d) {
  for (const Case& c : cases)
    test::expect_gradients([&](const Tensors& t) { return conv2d(t[0], t[1], t[2], c.params); },
                           {test::random(c.x, 1), test::random(c.w, 2), test::random({c.w[0]}, 3)});
}

TEST(ConvGradients, ConvTranspose2d) {
  for (const Case& c : cases) {
    const std::array<std::int64_t, 2> extra{c.params.stride[0] - 1, 0};
    test::expect_gradients(
        [&](const Tensors& t) { return conv_transpose2d(t[0], t[1], t[2], c.params, extra); },
        {test::random(output(c), 1), test::random(c.w, 2), test::random({c.x[1]}, 3)});
  }
}

TEST(ConvGradients, WeightGradient) {
  for (const Case& c : cases)
    test::expect_gradients(
        [&](const Tensors& t) { return conv2d_weight_gradient(t[0], t[1], c.w, c.params); },
        {test::random(c.x, 1), test::random(output(c), 2)});
}

// <F(x, w), dy> = <x, D(dy, w)> = <w, W(x, dy)>.
TEST(ConvGradients, TheTrioIsAdjoint) {
  for (const Case& c : cases) {
    const Tensor x = test::random(c.x, 1), w = test::random(c.w, 2),
                 dy = test::random(output(c), 3);
    const double forward = test::dot(conv2d(x, w, {}, c.params), dy);
    EXPECT_NEAR(test::dot(w, conv2d_weight_gradient(x, dy, c.w, c.params)), forward, 1e-11);
    Tensor leaf = x.detach();
    leaf.set_requires_grad();
    const Tensor dx = grad({conv2d(leaf, w, {}, c.params)}, {leaf}, {dy})[0];
    EXPECT_EQ(dx.shape(), c.x);
    EXPECT_NEAR(test::dot(x, dx), forward, 1e-11);
  }
}

TEST(ConvGradients, ConvTranspose2dShapesAndErrors) {
  const Tensor x = Tensor::ones({1, 4, 5, 5}), w = Tensor::ones({4, 3, 4, 4});
  const Conv2dParams params{.stride = {2, 2}, .padding = {1, 1}};
  EXPECT_EQ(conv_transpose2d(x, w, {}, params).shape(), (Shape{1, 3, 10, 10}));
  EXPECT_EQ(conv_transpose2d(x, w, {}, params, {1, 0}).shape(), (Shape{1, 3, 11, 10}));
  EXPECT_EQ(test::error_of([&] {
              conv_transpose2d(x, w, {}, params, {2, 0});
            }),
            "conv_transpose2d: output padding 2 must be at least 0 and less than the stride 2");
  EXPECT_EQ(test::error_of([&] {
              conv_transpose2d(x, Tensor::ones({5, 3, 4, 4}));
            }),
            "conv_transpose2d: needs x [N,O,H,W] and w [O,C/groups,kh,kw] (x=[1,4,5,5], "
            "w=[5,3,4,4])");
}

TEST(MatmulGradients, WithBroadcasting) {
  const auto product = [](const Tensors& t) { return matmul(t[0], t[1]); };
  test::expect_gradients(product, {test::random({3, 4}, 1), test::random({4, 2}, 2)});
  test::expect_gradients(product, {test::random({2, 1, 3, 4}, 1), test::random({3, 4, 2}, 2)});
  test::expect_gradients(product, {test::random({2, 3, 4}, 1), test::random({4, 1}, 2)});
}

TEST(MatmulGradients, Linear) {
  const Tensor x = test::random({2, 3, 4}, 1), w = test::random({5, 4}, 2),
               bias = test::random({5}, 3);
  const auto layer = [](const Tensors& t) { return linear(t[0], t[1], t[2]); };
  EXPECT_EQ(layer({x, w, bias}).shape(), (Shape{2, 3, 5}));
  test::expect_gradients(layer, {x, w, bias});
  test::expect_gradients([](const Tensors& t) { return linear(t[0], t[1]); }, {x, w});
  EXPECT_EQ(test::error_of([&] {
              linear(x, test::random({5, 3}));
            }),
            "linear: needs x [..,in] and weight [out,in] (x=[2,3,4], weight=[5,3])");
}

}  // namespace
}  // namespace mini
