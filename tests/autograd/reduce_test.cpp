#include "autograd/functions.h"
#include "tensor/view.h"
#include "tests/autograd/numeric_gradient.h"

namespace mini {
namespace {

// The elements are squared first, so that second derivatives are not zero.
test::Function squared(Tensor (*f)(const Tensor&)) {
  return [f](const Tensors& x) { return f(square(x[0])); };
}

TEST(ReduceGradients, SumAndMean) {
  test::expect_gradients(squared([](const Tensor& x) { return sum(x); }), {test::random({3, 4})});
  test::expect_gradients(squared([](const Tensor& x) { return mean(x); }), {test::random({3, 4})});
  for (const bool keep : {false, true}) {
    const auto some = [keep](const Tensors& x) {
      const std::vector<int> dims{0, -1};
      return sum(square(x[0]), dims, keep) + mean(exp(x[0]), dims, keep);
    };
    test::expect_gradients(some, {test::random({2, 3, 4})});
  }
}

TEST(ReduceGradients, MeanDividesByWhatItSums) {
  const Tensor x = Tensor::from(std::vector<double>{1, 2, 3, 4, 5, 6}, {2, 3});
  const int dim = 1;
  EXPECT_EQ(mean(x, {&dim, 1}).to_vector(), (std::vector<double>{2, 5}));
  EXPECT_EQ(mean(x).item(), 3.5);
  EXPECT_NE(test::error_of([] { mean(Tensor::empty({0})); }).find("mean"), std::string::npos);
}

TEST(ReduceGradients, Amax) {
  for (const bool keep : {false, true})
    test::expect_gradients([keep](const Tensors& x) { return square(amax(x[0], 1, keep)); },
                           {test::random({2, 5, 3})});
}

TEST(ReduceGradients, EqualMaximaShare) {
  Tensor x = Tensor::from(std::vector<double>{1, 7, 7, 0, 7, -1}, {6});
  x.set_requires_grad();
  backward(amax(x, 0));
  const double third = 1.0 / 3;
  EXPECT_EQ(x.grad().to_vector(), (std::vector<double>{0, third, third, 0, third, 0}));
}

TEST(ReduceGradients, Softmax) {
  for (const int dim : {0, 1, -1}) {
    test::expect_gradients([dim](const Tensors& x) { return softmax(x[0], dim); },
                           {test::random({2, 3, 4})});
    test::expect_gradients([dim](const Tensors& x) { return log_softmax(x[0], dim); },
                           {test::random({2, 3, 4})});
  }
}

TEST(ReduceGradients, SumToIsTheAdjointOfExpand) {
  const Tensor x = test::random({2, 3, 4, 5}), y = test::random({3, 1, 5}, 2);
  EXPECT_NEAR(test::dot(sum_to(x, y.shape()), y), test::dot(x, expand(y, x.shape())), 1e-12);
  test::expect_gradients(
      [](const Tensors& x) {
        return sum_to(square(x[0]), {3, 1});
      },
      {test::random({2, 3, 4})});
}

}  // namespace
}  // namespace mini
